import { z } from 'zod';
import { checkView } from '../blockkit/views.js';
import { rejected, SlackError } from '../errors.js';
import { isObject, type JsonObject } from '../json.js';
import { closeTop, newView, replaceView, topView, viewToWire } from '../modals.js';
import { exchangeTrigger } from '../triggers.js';
import type { World } from '../world.js';
import { json, type Method, method, str, TIER } from './method.js';

/** Slack takes views of up to 250 kB. */
const MAX_VIEW = 250_000;

/** @throws SlackError invalid_arguments with what is wrong, as the views.* methods answer */
export function parseView(value: unknown, kind: 'modal' | 'home'): JsonObject {
  const problems = checkView(value, kind);
  if (problems.length > 0 || !isObject(value)) throw rejected('invalid_arguments', problems);
  if (JSON.stringify(value).length > MAX_VIEW) throw new SlackError('view_too_large');
  return value;
}

function freeExternalId(world: World, view: JsonObject, except?: string): void {
  const id = view.external_id;
  if (typeof id !== 'string' || id === '') return;
  if ([...world.views.values()].some((v) => v.externalId === id && v.id !== except)) {
    throw new SlackError('duplicate_external_id');
  }
}

const byTrigger = z.object({ view: json, trigger_id: str.optional(), interactivity_pointer: str.optional() });

const open = method('views.open', {
  limit: TIER.four,
  args: byTrigger,
  run(args, { world }) {
    const view = parseView(args.view, 'modal');
    freeExternalId(world, view);
    const user = exchangeTrigger(world, args.trigger_id ?? args.interactivity_pointer ?? '');
    // A new first modal replaces whatever the person had open.
    while (topView(world, user) !== undefined) closeTop(world, user);
    return { view: viewToWire(newView(world, user, view, undefined)) };
  },
});

const push = method('views.push', {
  limit: TIER.four,
  args: byTrigger,
  run(args, { world }) {
    const view = parseView(args.view, 'modal');
    freeExternalId(world, view);
    const user = exchangeTrigger(world, args.trigger_id ?? args.interactivity_pointer ?? '');
    const under = topView(world, user);
    if (under === undefined) throw new SlackError('not_found');
    if ([...world.views.values()].filter((v) => v.user === user).length >= 3) {
      throw new SlackError('push_limit_reached');
    }
    return { view: viewToWire(newView(world, user, view, under)) };
  },
});

const update = method('views.update', {
  limit: TIER.four,
  args: z.object({
    view: json,
    view_id: str.optional(),
    external_id: str.optional(),
    hash: str.optional(),
  }),
  run(args, { world }) {
    const target = [...world.views.values()].find(
      (v) => v.id === args.view_id || (args.external_id !== undefined && v.externalId === args.external_id),
    );
    const view = parseView(args.view, 'modal');
    if (target === undefined) throw new SlackError('not_found');
    freeExternalId(world, view, target.id);
    if (args.hash !== undefined && args.hash !== target.hash) throw new SlackError('hash_conflict');
    return { view: viewToWire(replaceView(world, target, view)) };
  },
});

const publish = method('views.publish', {
  limit: TIER.four,
  args: z.object({ user_id: str, view: json, hash: str.optional() }),
  run(args, { world, manifest }) {
    if (!manifest.homeTab) throw new SlackError('not_enabled');
    const view = parseView(args.view, 'home');
    if (!world.users.has(args.user_id)) throw new SlackError('user_not_found');
    const shown = world.homes.get(args.user_id);
    if (args.hash !== undefined && shown !== undefined && args.hash !== shown.hash) {
      throw new SlackError('hash_conflict');
    }
    const home = newView(world, args.user_id, view, undefined);
    return { view: viewToWire(home) };
  },
});

/** Modals and the Home tab. */
export const viewMethods: readonly Method[] = [open, push, update, publish];
