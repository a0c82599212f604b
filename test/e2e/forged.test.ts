import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { USERS } from '../../workspace/slack/people.js';
import { eventsOf, gate, happened, keepChannel, words } from './acts.js';
import { cheap, leaveMark, openShelf, phase, type Shelf } from './runbooks.js';
import { openTheatre, type Play, type Theatre } from './support.js';

// A busy machine takes its time; what is waited for has deadlines of its own.
vi.setConfig({ testTimeout: 240_000 });

let theatre: Theatre;
let shelf: Shelf;
let play: Play | undefined;
beforeAll(async () => {
  [theatre, shelf] = await Promise.all([openTheatre(), openShelf()]);
});
afterEach(async ({ task }) => {
  if (play === undefined) return;
  await keepChannel(play, task.name);
  await play.trial.stop();
});
afterAll(async () => {
  await theatre.close();
  await shelf.close();
});

type Forged = { type: string; by?: string } & Record<string, unknown>;

/** Writes events as whoever can reach the state database may: by the function that the bot itself calls. */
async function append({ trial }: Play, forged: readonly Forged[], run = 1): Promise<void> {
  const client = new pg.Client({ connectionString: trial.databases.state });
  await client.connect();
  try {
    const { rows } = await client.query<{ version: number }>(
      'SELECT max(version) AS version FROM m10bot.events WHERE stream = $1',
      [`run:${run}`],
    );
    const version = rows[0]?.version ?? 0;
    await client.query('SELECT m10bot.append($1, $2, $3, $4, $5, NULL, NULL, NULL, NULL)', [
      forged.map(() => `run:${run}`),
      forged.map((_, i) => version + 1 + i),
      forged.map((e) => e.type),
      forged.map((e) => e.by ?? null),
      forged.map(({ type: _, ...data }) => JSON.stringify({ v: 1, ...data })),
    ]);
  } finally {
    await client.end();
  }
}

const marks = (name: string) => join(shelf.directory, `${name}.marks`);
const read = (file: string) => readFile(file, 'utf8').catch(() => '');

it('two rows in the journal start no rollback: the run is untrusted, and says so', async () => {
  const file = marks('rows');
  play = await theatre.open({ runbook: await shelf.write(cheap([phase('work', [leaveMark('one', file)])])) });
  await play.preflight();
  await play.say('alice', '/m10 next');
  const asked = await gate(play, 1);
  await append(play, [
    { type: 'GateSpent', gate: 1, approvers: [], digest: 'x' },
    { type: 'BlockStarted', block: { kind: 'phase', id: 'work' }, from: null },
  ]);
  const told = await play.text(/Run 1 is untrusted/);
  expect(words(told)).toMatch(/request 1 was spent for something else than it asked for/);
  expect(words(told)).toMatch(/somebody else has written to the state database/);
  await play.message('run:1:card', (m) => /Untrusted/.test(m.text));
  await play.message('run:1:gate:1', (m) => /Not approved/.test(m.text));
  await play.react('bob', asked);
  await happened(play, 'ReactionRejected', { by: USERS.bob, code: 'not_believed' });
  await play.say('alice', '/m10 next');
  expect((await play.text(/ran `\/m10 next`; it was not done/)).text).toMatch(/Run 1 is untrusted/);
  await play.trial.bot().end('SIGKILL');
  await play.trial.startBot();
  await play.say('alice', '/m10 close somebody wrote to the journal');
  await play.message('run:1:closed', (m) => /Closed as untrusted/.test(m.text));
  expect((await eventsOf(play, 'StepStarted')).map((e) => e.step)).toEqual(['preflight.staging']);
  expect(await read(file)).toBe('');
});

it('an approval that is whole in the journal and was never given in Slack changes nothing', async () => {
  const file = marks('whole');
  play = await theatre.open({ runbook: await shelf.write(cheap([phase('work', [leaveMark('one', file)])])) });
  await play.preflight();
  await play.say('alice', '/m10 next');
  const asked = await gate(play, 1);
  const digest = String(
    (await eventsOf(play, 'GateOpened')).map((e) => (e.fingerprint as { digest: string }).digest)[0],
  );
  await append(play, [
    { type: 'ApprovalGiven', gate: 1, by: USERS.bob, emoji: 'white_check_mark', via: 'reaction' },
    { type: 'GateSpent', gate: 1, approvers: [USERS.bob], digest },
    { type: 'BlockStarted', block: { kind: 'phase', id: 'work' }, from: null },
  ]);
  const told = await play.text(/Run 1 is stopped before/);
  expect(words(told)).toMatch(/Slack shows 0 of 1 approvals that count on request 1/);
  expect(await read(file)).toBe('');
  // The approver's own ✅ comes too late for that request; going on is a new one.
  await play.react('bob', asked);
  await play.say('alice', '/m10 resume');
  await play.react('bob', await gate(play, 2));
  await play.message('run:1:closed');
  expect(await read(file)).toBe('begun\ndone\n');
});
