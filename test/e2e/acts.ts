import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SeenMessage } from '../../workspace/slack/people/protocol.js';
import { CHANNELS, USERS } from '../../workspace/slack/people.js';
import { renderChannel, renderMessage } from '../../workspace/slack/transcript.js';
import { eventually } from '../support/processes.js';
import type { Play, Who } from './support.js';

/** What a person reads in a message: its blocks as lines of text. */
export function words(message: SeenMessage): string {
  return renderMessage(message, { width: 10_000 }).join('\n');
}

/** The buttons of a message, by action. */
export function buttons(message: SeenMessage): string[] {
  return message.blocks.flatMap((block) =>
    block.type === 'actions' && Array.isArray(block.elements)
      ? block.elements.flatMap((element: unknown) =>
          typeof element === 'object' && element !== null && 'action_id' in element
            ? [String(element.action_id)]
            : [],
        )
      : [],
  );
}

/** The newest prompt of a step, still with its buttons. */
export function prompt(play: Play, step: string, attempt = 1, run = 1): Promise<SeenMessage> {
  return play.message(
    `run:${run}:prompt:`,
    (m) => JSON.stringify(m.metadata).includes(`/${step}:${attempt}"`) && buttons(m).length > 0,
  );
}

/** An open request for approval. */
export function gate(play: Play, id: number, run = 1): Promise<SeenMessage> {
  return play.message(`run:${run}:gate:${id}`, (m) => /Approval needed/.test(m.text));
}

/** Bob approves a request as soon as it stands in the channel. */
export async function approve(play: Play, id: number, run = 1, who: Who = 'bob'): Promise<void> {
  await play.react(who, await gate(play, id, run));
}

/** Waits until a phase is told to be done. */
export function done(play: Play, phase: string, run = 1): Promise<SeenMessage> {
  return play.text(new RegExp(`Run ${run}: (phase|operation) ${phase} .* is done`));
}

/** Waits for an answer that only this person sees. */
export async function told(play: Play, who: Who, pattern: RegExp): Promise<string> {
  const seen = await play.trial.people.waitForEphemeral(USERS[who], (m) => pattern.test(m.text), 90_000);
  return seen.text;
}

/** Polls the journal until it holds such an event. */
export async function happened(
  play: Play,
  type: string,
  data: Record<string, unknown> = {},
  run = 1,
): Promise<void> {
  const found = await eventually(async () => {
    const events = await play.journal(run).catch(() => []);
    return events.some(
      (e) => e.type === type && Object.entries(data).every(([key, value]) => e.data[key] === value),
    );
  }, 40_000);
  if (!found) throw new Error(`Run ${run} has no ${type} ${JSON.stringify(data)}`);
}

/** The events of a run of one type, by what matters in them. */
export async function eventsOf(play: Play, type: string, run = 1): Promise<Record<string, unknown>[]> {
  return (await play.journal(run)).filter((e) => e.type === type).map((e) => e.data);
}

/** What 022 makes, as far as it is there. */
export async function objectsOf022(play: Play, target: 'staging' | 'production'): Promise<string[]> {
  const rows = await play.query(
    target,
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'm10_recovery'::regnamespace AND relkind = 'r'
       AND relname IN ('distributed_locks', 'replay_log', 'dead_letter_archive', 'outbox')
     UNION ALL
     SELECT proname FROM pg_proc WHERE pronamespace = 'm10_recovery'::regnamespace
       AND proname IN ('acquire_lock', 'release_lock', 'extend_lock', 'record_replay', 'archive_dead_letter',
         'publish_outbox', 'claim_outbox_events', 'complete_outbox_event', 'cleanup_expired_locks')
     ORDER BY name`,
  );
  return rows.map((row) => String(row.name));
}

/** Sessions of the bot's steps in a target's database. */
export async function stepSessions(play: Play, target: 'staging' | 'production'): Promise<unknown[]> {
  return play.query(
    target,
    `SELECT pid, application_name, query FROM pg_stat_activity
     WHERE datname = current_database() AND application_name ~ '^m10bot:[0-9]'`,
  );
}

/** Keeps the channel of a test as people read it, in the folder that M10_E2E_CHANNELS names. */
export async function keepChannel(play: Play, name: string): Promise<void> {
  const folder = process.env.M10_E2E_CHANNELS;
  if (folder === undefined) return;
  const { messages } = await play.trial.people.read({ channel: CHANNELS.incident });
  await mkdir(folder, { recursive: true });
  const file = `${name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 80)}.txt`;
  await writeFile(join(folder, file), renderChannel(messages, { width: 140 }).join('\n'));
}
