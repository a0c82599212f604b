import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { revisions } from '../../workspace/backend/variants.js';
import { USERS } from '../../workspace/slack/people.js';
import type { TrialOptions } from '../../workspace/trial/trial.js';
import { eventually, processesWith } from '../support/processes.js';
import {
  approve,
  done,
  eventsOf,
  gate,
  happened,
  keepChannel,
  objectsOf022,
  prompt,
  stepSessions,
  told,
  words,
} from './acts.js';
import { apply, cheap, leaveMark, look, openShelf, phase, type Shelf } from './runbooks.js';
import { channel, openTheatre, type Play, type Theatre } from './support.js';

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

async function open(phases: Parameters<typeof cheap>[0], options: Partial<TrialOptions> = {}): Promise<Play> {
  play = await theatre.open({ runbook: await shelf.write(cheap(phases)), ...options });
  return play;
}

/** A file in which steps leave their marks. */
const marks = (name: string) => join(shelf.directory, `${name}.marks`);
const read = (file: string) => readFile(file, 'utf8').catch(() => '');

it('anyone may stop, by command and by emoji; only operators take the run up again', async () => {
  const file = marks('stop');
  const play = await open([phase('work', [leaveMark('one', file), look('two')])]);
  await play.preflight();
  await play.say('gina', '/m10 stop I see errors in the shop');
  const stopped = await play.text(/stopped run 1/);
  expect(stopped.text).toContain(`<@${USERS.gina}>`);
  expect(words(stopped)).toMatch(/I see errors in the shop/);
  expect(words(stopped)).toMatch(/This run has changed nothing/);

  await play.say('alice', '/m10 next');
  const refused = await play.text(/ran `\/m10 next`; it was not done/);
  expect(refused.text).toMatch(/Run 1 was stopped by/);
  expect(refused.text).toMatch(/\/m10 resume/);
  await play.say('gina', '/m10 resume');
  const guest = await play.text(/ran `\/m10 resume`; it was not done/);
  expect(guest.text).toContain(`<@${USERS.gina}> ran`);
  expect(guest.text).toMatch(/Only listed operators may resume a run/);

  await play.say('carol', '/m10 resume');
  await play.text(/resumed run 1/);
  await play.say('alice', '/m10 next');
  const asked = await gate(play, 1);
  await play.react('gina', asked, 'octagonal_sign');
  const withdrawn = await play.message('run:1:gate:1', (m) => /Withdrawn/.test(m.text));
  expect(withdrawn.text).toContain(`<@${USERS.gina}>: the run was stopped`);
  await happened(play, 'StopRequested', { via: 'reaction', by: USERS.gina });
  // A ✅ that comes after the stop starts nothing.
  await play.react('bob', asked);
  await happened(play, 'ReactionRejected', { by: USERS.bob, code: 'gate_closed' });
  expect(await eventsOf(play, 'GateSpent')).toEqual([]);
  expect(await read(file)).toBe('');
});

it('a stop lets the running step finish, and going on into a change asks for approval again', async () => {
  const file = marks('during');
  const play = await open([
    phase('work', [leaveMark('one', file, 2), leaveMark('two', file), look('three')]),
  ]);
  await play.preflight();
  await play.phase(1);
  await eventually(async () => (await read(file)) === 'begun\n');
  await play.say('dave', '/m10 stop wait');
  const stopped = await play.text(/stopped run 1/);
  expect(words(stopped)).toMatch(/one is running and will finish; no step starts after it/);
  await happened(play, 'StepFinished', { step: 'one', result: 'passed' });
  await play.message('run:1:card', (m) => /Stopped\./.test(m.text));
  expect((await eventsOf(play, 'StepStarted')).map((e) => e.step)).toEqual(['preflight.staging', 'one']);
  expect(await read(file)).toBe('begun\ndone\n');

  await play.say('alice', '/m10 resume');
  const again = await gate(play, 2);
  expect(words(again)).toMatch(/It is a resume/);
  expect(words(again)).toMatch(/from step two/);
  await play.react('bob', again);
  await play.message('run:1:closed');
  expect(await read(file), 'the first step is not run again').toBe('begun\ndone\nbegun\ndone\n');
});

it('"stop now" ends the running program and its database session, and the migration is not there', async () => {
  const play = await open([phase('work', [apply('staging'), look('after')])], {
    variant: 'slow',
    sleepSeconds: 120,
  });
  await play.preflight();
  await play.phase(1);
  expect(
    await eventually(async () => JSON.stringify(await stepSessions(play, 'staging')).includes('pg_sleep')),
  ).toBe(true);
  await play.say('dave', '/m10 stop now the shop is down');
  const stopped = await play.text(/stopped run 1, with the running step/);
  expect(words(stopped)).toMatch(/staging\.apply is being ended/);
  await happened(play, 'StepFinished', { step: 'staging.apply' });
  const finished = (await eventsOf(play, 'StepFinished')).find((e) => e.step === 'staging.apply');
  expect(finished?.result).toBe('failed');
  expect(String(finished?.summary)).toMatch(/was stopped/);
  expect(String(finished?.summary)).toMatch(/nothing of it stayed/);
  // The result is told only after the session is gone.
  expect(await stepSessions(play, 'staging')).toEqual([]);
  expect(await processesWith(play.trial.backend)).not.toContainEqual(expect.stringMatching(/alembic/));
  expect(await play.revision('staging')).toBe(revisions.before);
  expect(await objectsOf022(play, 'staging')).toEqual([]);
  // Stopped, it waits for people: the run neither goes on nor tries again.
  await play.say('alice', '/m10 resume');
  await play.text(/resumed run 1/);
  const asked = await prompt(play, 'staging.apply');
  expect(words(asked)).toMatch(/staging: at 021_m10_durable_queue_fallback/);
});

it('of two commands at the same instant one wins, and the other is refused with the reason', async () => {
  const play = await open([phase('work', [leaveMark('one', marks('race'))])]);
  await Promise.all([play.say('alice', '/m10 preflight'), play.say('carol', '/m10 preflight')]);
  const second = await play.text(/ran `\/m10 preflight`; it was not done/);
  expect(second.text).toMatch(/Run \d holds staging and production/);
  expect(second.text).toMatch(/\/m10 close REASON/);
  // Whoever lost the race has spent a number, so the open run is asked for.
  const [held] = await play.query(
    'state',
    `SELECT data ->> 'run' AS run FROM m10bot.events WHERE stream = 'target:staging'`,
  );
  const run = Number(held?.run);
  await play.text(new RegExp(`Run ${run}: phase preflight .* is done`));
  const opened = await play.query('state', `SELECT 1 FROM m10bot.events WHERE type = 'RunOpened'`);
  expect(opened).toHaveLength(1);

  await Promise.all([play.say('alice', '/m10 next'), play.say('carol', '/m10 next')]);
  await gate(play, 1, run);
  const late = await play.text(/ran `\/m10 next`; it was not done/);
  expect(late.text).toMatch(/Approval is already asked for: phase work/);
  expect(await eventsOf(play, 'ApprovalRequested', run)).toHaveLength(1);

  // Of two answers at the same instant the first counts; the request ends once.
  const asked = await gate(play, 1, run);
  await Promise.all([play.react('bob', asked), play.react('carol', asked)]);
  await play.message(`run:${run}:closed`);
  expect(await eventsOf(play, 'GateSpent', run)).toHaveLength(1);
  expect(await read(marks('race'))).toBe('begun\ndone\n');
});

it('a run holds its targets until it is closed; a backup alone is a run of its own', async () => {
  const play = await open([phase('work', [look('one')])]);
  await play.preflight();
  await play.say('carol', '/m10 preflight');
  const refused = await play.text(/ran `\/m10 preflight`; it was not done/);
  expect(refused.text).toMatch(/Run 1 holds staging and production/);
  await play.say('dave', '/m10 close I want to');
  expect((await play.text(/ran `\/m10 close`; it was not done/)).text).toMatch(
    /Only listed operators may close/,
  );
  await play.say('carol', '/m10 close wrong evening');
  const closed = await play.message('run:1:closed');
  expect(words(closed)).toMatch(/Closed by @carol: wrong evening/);
  expect(words(closed)).toMatch(/staging: at 021_m10_durable_queue_fallback/);

  await play.say('alice', '/m10 backup');
  const run = await newestRun(play, 1);
  await approve(play, 1, run);
  const ended = await play.message(`run:${run}:closed`);
  expect(ended.text).toMatch(/is closed: Done/);
  const folder = join(play.trial.directory, 'backups');
  const dumps = (await readdir(folder)).filter((f) => f.endsWith('.dump'));
  expect(dumps).toHaveLength(1);
  expect(dumps[0]).toMatch(/production.*021_m10_durable_queue_fallback/);
  expect((await stat(join(folder, dumps[0] ?? ''))).mode & 0o777).toBe(0o600);

  // Refused, the run of one operation holds nothing any longer.
  await play.say('alice', '/m10 backup');
  const second = await newestRun(play, run);
  await play.react('bob', await gate(play, 1, second), 'x');
  expect((await play.message(`run:${second}:closed`)).text).toMatch(/Closed before its end/);
  await play.say('alice', '/m10 preflight');
  await done(play, 'preflight', await newestRun(play, second));
});

it('what a closed, verified run did can still be rolled back; plan and audit tell what is and was', async () => {
  const play = await open([phase('work', [apply('staging'), apply('production')])]);
  await play.say('dave', '/m10 plan');
  const plan = await play.text(/asked what .* would do now/);
  expect(words(plan)).toMatch(/staging: 021_m10_durable_queue_fallback → 022_m10_production_hardening/);
  expect(words(plan)).toMatch(/alembic upgrade 022_m10_production_hardening/);
  await play.trial.people.waitFor(
    channel,
    (m) => m.thread_ts === plan.ts && m.files.some((f) => f.name.endsWith('.sql')),
  );
  await play.preflight();
  await play.phase(1);
  expect((await play.message('run:1:closed')).text).toMatch(/closed: Verified/);

  await play.say('bob', '/m10 rollback I do not like it');
  const refused = await play.text(/ran `\/m10 rollback`; it was not done/);
  expect(refused.text).toMatch(/Only listed operators/);
  await play.say('alice', '/m10 rollback the shop is slow since');
  const run = await newestRun(play, 1);
  const asked = await gate(play, 1, run);
  expect(words(asked)).toMatch(/the shop is slow since/);
  expect(words(asked)).toMatch(/may lose data/);
  await play.react('bob', asked);
  expect((await play.message(`run:${run}:closed`)).text).toMatch(/closed: Rolled back/);
  for (const target of ['staging', 'production'] as const) {
    expect(await play.revision(target)).toBe(revisions.before);
    expect(await objectsOf022(play, target)).toEqual([]);
  }

  await play.say('gina', '/m10 audit 1');
  const audit = await play.text(/Audit of run 1/);
  expect(words(audit)).toMatch(/@alice asked for approval/);
  expect(words(audit)).toMatch(/@bob approved request 1/);
  expect(words(audit)).toMatch(/The hash chain is whole/);
  await play.say('gina', '/m10 audit 99');
  expect((await play.text(/ran `\/m10 audit`; it was not done/)).text).toMatch(/There is no run 99/);
});

it('a command of somebody who is no operator is refused where everyone sees it', async () => {
  const play = await open([phase('work', [look('one')])]);
  for (const word of ['preflight', 'backup']) {
    await play.say('dave', `/m10 ${word}`);
    const refused = await play.text(new RegExp(`<@${USERS.dave}> ran \`/m10 ${word}\`; it was not done`));
    expect(refused.text).toMatch(/Only listed operators may/);
  }
  await told(play, 'dave', /Only listed operators may/);
  await play.preflight();
  for (const word of ['next', 'retry', 'resume', 'skip one for fun', 'rollback', 'close now']) {
    await play.say('dave', `/m10 ${word}`);
    const [name] = word.split(' ');
    const refused = await play.text(new RegExp(`<@${USERS.dave}> ran \`/m10 ${name}\`; it was not done`));
    expect(refused.text).toMatch(/Only listed operators may/);
  }
  expect(await eventsOf(play, 'CommandRefused')).toHaveLength(6);
  expect((await eventsOf(play, 'CommandRefused')).map((e) => e.code)).toEqual(
    Array(6).fill('not_an_operator'),
  );
});

/** The number of the run that was opened last, after another one. */
async function newestRun(play: Play, after = 0): Promise<number> {
  let run = after;
  const newer = async () => {
    const rows = await play.query(
      'state',
      `SELECT max((data ->> 'run')::int) AS run FROM m10bot.events WHERE type = 'RunOpened'`,
    );
    run = Number(rows[0]?.run ?? 0);
    return run > after;
  };
  if (!(await eventually(newer))) throw new Error(`no run was opened after run ${after}`);
  return run;
}
