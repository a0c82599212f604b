import { randomBytes } from 'node:crypto';
import { arrayAt, isObject, type JsonObject } from './json.js';
import { withIds } from './messages.js';
import type { OpenView } from './model.js';
import { APP, TEAM } from './people.js';
import { newId, type World } from './world.js';

function newHash(world: World): string {
  return `${Math.floor(world.now() / 1000)}.${randomBytes(4).toString('hex')}`;
}

function normalised(view: JsonObject): JsonObject {
  return { ...view, blocks: withIds(arrayAt(view, 'blocks').filter(isObject)) };
}

/** Shows a view to a person: on top of `under`, or as the first. A view of type home goes to the Home tab. */
export function newView(world: World, user: string, view: JsonObject, under: OpenView | undefined): OpenView {
  const id = newId('V0');
  const opened: OpenView = {
    id,
    user,
    view: normalised(view),
    hash: newHash(world),
    rootId: under?.rootId ?? id,
    previousId: under?.id ?? null,
    externalId: typeof view.external_id === 'string' ? view.external_id : '',
  };
  const home = view.type === 'home';
  if (home) world.homes.set(user, opened);
  else world.views.set(id, opened);
  world.changes.add({ kind: home ? 'home' : 'view', user, detail: id });
  return opened;
}

/** Changes what an open view shows. */
export function replaceView(world: World, target: OpenView, view: JsonObject): OpenView {
  target.view = normalised(view);
  target.hash = newHash(world);
  if (typeof view.external_id === 'string') target.externalId = view.external_id;
  world.changes.add({ kind: 'view', user: target.user, detail: target.id });
  return target;
}

/** The modal that a person looks at. */
export function topView(world: World, user: string): OpenView | undefined {
  return [...world.views.values()].filter((v) => v.user === user).at(-1);
}

/** Closes the modal on top; the one under it comes back. */
export function closeTop(world: World, user: string): void {
  const top = topView(world, user);
  if (top === undefined) return;
  world.views.delete(top.id);
  world.changes.add({ kind: 'view', user, detail: top.id });
}

/** A view as methods and payloads carry it. `values` is what the person has filled in. */
export function viewToWire(opened: OpenView, values: JsonObject = {}): JsonObject {
  const { view } = opened;
  return {
    id: opened.id,
    team_id: TEAM.id,
    type: view.type,
    blocks: view.blocks,
    private_metadata: view.private_metadata ?? '',
    callback_id: view.callback_id ?? '',
    state: { values },
    hash: opened.hash,
    title: view.title ?? { type: 'plain_text', text: 'View Title', emoji: true },
    clear_on_close: view.clear_on_close ?? false,
    notify_on_close: view.notify_on_close ?? false,
    close: view.close ?? null,
    submit: view.submit ?? null,
    previous_view_id: opened.previousId,
    root_view_id: opened.rootId,
    app_id: APP.id,
    external_id: opened.externalId,
    app_installed_team_id: TEAM.id,
    bot_id: APP.botId,
  };
}
