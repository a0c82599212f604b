import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { revisions } from '../../workspace/backend/variants.js';
import { keyOf } from '../../workspace/demo/stage.js';
import type { TrialOptions } from '../../workspace/trial/trial.js';
import { createProxy, type Proxy as Way } from '../scheduler/proxy.js';
import { eventually, stillRunning } from '../support/processes.js';
import { approve, eventsOf, gate, happened, keepChannel, prompt, stepSessions, words } from './acts.js';
import { apply, cheap, leaveMark, look, openShelf, phase, type Shelf, type StepInput } from './runbooks.js';
import { channel, openTheatre, type Play, type Theatre } from './support.js';

// A busy machine takes its time; what is waited for has deadlines of its own.
vi.setConfig({ testTimeout: 240_000 });

let theatre: Theatre;
let shelf: Shelf;
beforeAll(async () => {
  [theatre, shelf] = await Promise.all([openTheatre(), openShelf()]);
});
afterAll(async () => {
  await theatre.close();
  await shelf.close();
});

const at022: StepInput = {
  id: 'production.revision',
  uses: 'alembic.current',
  on: 'production',
  with: { revision: revisions.hardening },
};

/** Plays a story whose bot dies, and looks at its end that the channel was told everything once. */
async function scene(
  name: string,
  steps: readonly StepInput[],
  story: (play: Play) => Promise<void>,
  options: Partial<TrialOptions> = {},
): Promise<void> {
  const runbook = await shelf.write(cheap([phase('work', steps)]));
  const play = await theatre.open({ runbook, ...options });
  try {
    await play.preflight();
    await story(play);
    const { messages } = await play.trial.people.read({ channel });
    const keys = messages.flatMap((m) => keyOf(m) ?? []);
    expect(keys, 'no message stands twice').toEqual([...new Set(keys)]);
  } finally {
    await keepChannel(play, `crash ${name}`);
    await play.trial.stop();
  }
}

const kill = (play: Play) => play.trial.bot().end('SIGKILL');

async function verified(play: Play): Promise<void> {
  expect((await play.message('run:1:closed')).text).toMatch(/closed: Verified/);
}

/** Waits until the migration sleeps in its transaction. */
async function inTheMiddle(play: Play): Promise<void> {
  const sleeps = async () => JSON.stringify(await stepSessions(play, 'production')).includes('pg_sleep');
  expect(await eventually(sleeps)).toBe(true);
}

/** The folders of a step's programs, one for each attempt. */
const programs = (play: Play, step: string) =>
  join(play.trial.directory, 'state', 'children', 'run-1', 'phase.work', step);

/** The folder of an attempt: after its number comes the hash of the event that started it. */
async function attemptOf(play: Play, step: string, attempt: number): Promise<string> {
  const names = await readdir(programs(play, step)).catch(() => []);
  const name = names.find((each) => each.startsWith(`${attempt}-`));
  return join(programs(play, step), name ?? `no attempt ${attempt} among ${names.join(', ')}`);
}

/** What Alembic announced in an attempt, by its own output. */
async function upgrades(play: Play, attempt: number): Promise<number> {
  const folder = join(await attemptOf(play, 'production.apply', attempt), `upgrade-${revisions.hardening}`);
  const texts = await Promise.all(['stdout', 'stderr'].map((f) => readFile(join(folder, f), 'utf8')));
  return texts.join('\n').split('Running upgrade').length - 1;
}

const started = async (play: Play, step: string) =>
  (await eventsOf(play, 'StepStarted')).filter((e) => e.step === step).map((e) => e.attempt);

const ends = async (play: Play, step: string) =>
  (await eventsOf(play, 'StepFinished')).filter((e) => e.step === step);

const count = async (file: string) =>
  (await readFile(file, 'utf8').catch(() => '')).split('\n').sort().join(' ').trim();

/** A client in the bot's own database that holds up what the bot writes there. */
async function hold(
  play: Play,
): Promise<{ query: pg.Client['query']; waiting(): Promise<boolean>; end(): Promise<void> }> {
  const client = new pg.Client({ connectionString: play.trial.databases.state });
  await client.connect();
  return {
    query: client.query.bind(client),
    waiting: () =>
      eventually(async () => {
        const rows = await play.query(
          'state',
          `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return rows.length > 0;
      }),
    end: () => client.end(),
  };
}

const endWaiting = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND wait_event_type = 'Lock'`;

describe.concurrent('a bot that dies', () => {
  it('in the middle of the upgrade of production: the migration goes on, has run once, and so does the run', () =>
    scene(
      'in the middle',
      [apply('production'), at022],
      async (play) => {
        await play.phase(1);
        await inTheMiddle(play);
        await kill(play);
        expect(await stepSessions(play, 'production'), 'the migration lives').toHaveLength(1);
        await play.trial.startBot();
        await verified(play);
        expect(await play.revision('production')).toBe(revisions.hardening);
        expect(await upgrades(play, 1)).toBe(1);
        expect(await readdir(programs(play, 'production.apply'))).toEqual([expect.stringMatching(/^1-/)]);
        expect(await started(play, 'production.apply')).toEqual([1]);
        expect(await ends(play, 'production.apply')).toMatchObject([{ result: 'passed', recovered: true }]);
        expect(await eventsOf(play, 'GateSpent')).toHaveLength(1);
        await play.text(/The step production\.apply\* passed \(found out after an interruption\)/);
      },
      // Longer than the lease of the dead bot: the next one meets the migration still at work.
      { variant: 'slow', sleepSeconds: 14 },
    ));

  it('with its program: nothing of it stayed, so it runs again under the same approval', () =>
    scene(
      'with its program',
      [apply('production'), at022],
      async (play) => {
        await play.phase(1);
        await inTheMiddle(play);
        await kill(play);
        const folder = await attemptOf(play, 'production.apply', 1);
        const record = join(folder, `upgrade-${revisions.hardening}`, 'child.json');
        const { pid } = z.object({ pid: z.int() }).parse(JSON.parse(await readFile(record, 'utf8')));
        process.kill(-pid, 'SIGKILL');
        expect(await eventually(async () => (await stillRunning([pid])).length === 0)).toBe(true);
        expect(await play.revision('production')).toBe(revisions.before);
        await play.trial.startBot();
        await verified(play);
        expect(await play.revision('production')).toBe(revisions.hardening);
        expect(await started(play, 'production.apply')).toEqual([1, 2]);
        expect(await upgrades(play, 2)).toBe(1);
        expect(await eventsOf(play, 'StepRetried')).toMatchObject([{ by: 'm10bot', via: 'reconciled' }]);
        expect(await eventsOf(play, 'GateSpent'), 'one approval').toHaveLength(1);
        await play.text(
          /its probe found that it had not changed anything. It runs again under the same approval/,
        );
      },
      { variant: 'slow', sleepSeconds: 3 },
    ));

  it('while a program runs whose end nobody then sees: the result is not guessed, people are asked', () => {
    const file = join(shelf.directory, 'unseen.marks');
    return scene('unseen', [leaveMark('one', file, 3), look('two')], async (play) => {
      await play.phase(1);
      expect(await eventually(async () => (await count(file)) === 'begun')).toBe(true);
      await kill(play);
      await play.trial.startBot();
      const asked = await prompt(play, 'one');
      expect(words(asked)).toMatch(/The step one has a result that nobody knows/);
      expect(words(asked)).toMatch(/nobody saw how/);
      expect(await count(file), 'it was not run again').toBe('begun done');
      await play.say('alice', '/m10 skip one its file says that it is done');
      await approve(play, 2);
      await verified(play);
    });
  });

  it('after a program ended and before that was written: its exit record tells the result', () => {
    const file = join(shelf.directory, 'unwritten.marks');
    return scene('unwritten', [leaveMark('one', file, 1), look('two')], async (play) => {
      const state = await hold(play);
      try {
        await play.phase(1);
        await happened(play, 'StepStarted', { step: 'one' });
        await state.query('BEGIN; LOCK TABLE m10bot.events IN SHARE ROW EXCLUSIVE MODE');
        const recorded = async () =>
          readFile(join(await attemptOf(play, 'one', 1), 'exit.json'), 'utf8').catch(() => '');
        expect(await eventually(async () => (await recorded()) !== '')).toBe(true);
        await kill(play);
        await play.query('state', endWaiting);
        await state.query('ROLLBACK');
        expect(await ends(play, 'one')).toEqual([]);
        await play.trial.startBot();
        await verified(play);
        expect(await ends(play, 'one')).toMatchObject([{ result: 'passed', recovered: true }]);
        expect(await count(file)).toBe('begun done');
      } finally {
        await state.end();
      }
    });
  });

  it('between two steps: the next one starts under the approval that was given', () => {
    const file = join(shelf.directory, 'between.marks');
    return scene('between', [leaveMark('one', file), leaveMark('two', file)], async (play) => {
      const state = await hold(play);
      try {
        // Holds up the very append that starts the second step.
        await state.query('SELECT pg_advisory_lock(22)');
        await state.query(
          `CREATE FUNCTION m10bot.hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.type = 'StepStarted' AND NEW.data ->> 'step' = 'two' THEN
               PERFORM pg_advisory_xact_lock(22);
             END IF;
             RETURN NEW;
           END $$;
           CREATE TRIGGER hold BEFORE INSERT ON m10bot.events FOR EACH ROW EXECUTE FUNCTION m10bot.hold()`,
        );
        await play.phase(1);
        await happened(play, 'StepFinished', { step: 'one' });
        expect(await state.waiting()).toBe(true);
        await kill(play);
        await play.query('state', endWaiting);
        await state.query('DROP TRIGGER hold ON m10bot.events; SELECT pg_advisory_unlock(22)');
        await play.trial.startBot();
        await verified(play);
        expect(await started(play, 'one')).toEqual([1]);
        expect(await started(play, 'two')).toEqual([1]);
        expect(await eventsOf(play, 'GateSpent')).toHaveLength(1);
        expect(await count(file)).toBe('begun begun done done');
      } finally {
        await state.end();
      }
    });
  });

  it('while it waits for approval: a ✅ that nobody heard is found, and counts', () =>
    scene('waiting', [look('one')], async (play) => {
      await play.say('alice', '/m10 next');
      const asked = await gate(play, 1);
      await kill(play);
      await play.react('bob', asked);
      await play.trial.startBot();
      await verified(play);
      expect(await eventsOf(play, 'ApprovalGiven')).toHaveLength(1);
      expect(await eventsOf(play, 'ApprovalRequested')).toHaveLength(1);
    }));

  it.each([
    { name: 'and its write is lost', lost: true },
    { name: 'and its write still arrives', lost: false },
  ])('right after it acknowledged a command, $name: the command has its effect once', ({ name, lost }) =>
    scene(`acknowledged ${name}`, [look('one')], async (play) => {
      const state = await hold(play);
      try {
        await state.query('BEGIN; LOCK TABLE m10bot.events IN SHARE ROW EXCLUSIVE MODE');
        await play.say('alice', '/m10 next');
        expect(await state.waiting()).toBe(true);
        await kill(play);
        if (lost) await play.query('state', endWaiting);
        await state.query('ROLLBACK');
        if (lost) expect(await eventsOf(play, 'ApprovalRequested')).toEqual([]);
        await play.trial.startBot();
        // What the dead process had taken from the inbox is given to the next one after half a minute.
        await happened(play, 'ApprovalRequested');
        await approve(play, 1);
        await verified(play);
        const handled = async () => {
          const rows = await play.query('state', `SELECT 1 FROM m10bot.inbox WHERE state <> 'done'`);
          return rows.length === 0;
        };
        expect(await eventually(handled)).toBe(true);
        expect(await eventsOf(play, 'ApprovalRequested')).toHaveLength(1);
        expect(await eventsOf(play, 'CommandRefused')).toEqual([]);
      } finally {
        await state.end();
      }
    }),
  );

  it('with its state in a PostgreSQL of its own: the run is still there, and goes on', () =>
    scene(
      'embedded',
      [look('one')],
      async (play) => {
        await play.say('alice', '/m10 next');
        const asked = await gate(play, 1);
        await kill(play);
        await play.trial.startBot();
        await play.react('bob', asked);
        await verified(play);
        await play.say('alice', '/m10 audit');
        expect(words(await play.text(/Audit of run 1/))).toMatch(/The hash chain is whole/);
      },
      { sharedState: false },
    ));
});

describe.concurrent('a bot whose own database goes away for longer than its lease', () => {
  const ways: Way[] = [];
  afterAll(() => Promise.all(ways.map((way) => way.close())));

  /** The same bot again, with a way to its database that can be cut. */
  async function restarted(play: Play): Promise<Way> {
    const way = await createProxy(play.trial.databases.state);
    ways.push(way);
    await play.trial.bot().end('SIGTERM');
    await play.trial.startBot({ STATE_DATABASE_URL: way.url });
    return way;
  }

  /** Until the lease has run out by the database's own clock. */
  async function outOfLease(play: Play): Promise<void> {
    const expired = async () =>
      (await play.query('state', `SELECT 1 FROM m10bot.leases WHERE name = 'run:1' AND expires_at > now()`))
        .length === 0;
    expect(await eventually(expired)).toBe(true);
  }

  it('in the middle of the upgrade: the migration goes on, and its end is found', () =>
    scene(
      'state away',
      [apply('production'), at022],
      async (play) => {
        const way = await restarted(play);
        await play.phase(1);
        await inTheMiddle(play);
        way.cut();
        await outOfLease(play);
        expect(await stepSessions(play, 'production'), 'the migration lives').toHaveLength(1);
        way.restore();
        await verified(play);
        expect(await play.revision('production')).toBe(revisions.hardening);
        expect(await upgrades(play, 1)).toBe(1);
        expect(await started(play, 'production.apply')).toEqual([1]);
        expect(await ends(play, 'production.apply')).toMatchObject([{ result: 'passed', recovered: true }]);
      },
      { variant: 'slow', sleepSeconds: 25 },
    ));

  it('while a program runs: it runs once and to its end', () => {
    const file = join(shelf.directory, 'away.marks');
    return scene('state away, program', [leaveMark('one', file, 20), look('two')], async (play) => {
      const way = await restarted(play);
      await play.phase(1);
      expect(await eventually(async () => (await count(file)) === 'begun')).toBe(true);
      way.cut();
      await outOfLease(play);
      way.restore();
      await verified(play);
      expect(await count(file)).toBe('begun done');
      expect(await ends(play, 'one')).toMatchObject([{ result: 'passed', recovered: true }]);
    });
  });
});

describe.concurrent('a bot that is told to end', () => {
  it('waits for the running step, starts no other, and the next bot goes on without a new approval', () => {
    const file = join(shelf.directory, 'term.marks');
    return scene('term', [leaveMark('one', file, 2), leaveMark('two', file)], async (play) => {
      await play.phase(1);
      expect(await eventually(async () => (await count(file)) === 'begun')).toBe(true);
      await play.trial.bot().end('SIGTERM');
      expect(await play.trial.bot().exited).toBe(0);
      expect(await ends(play, 'one')).toMatchObject([{ result: 'passed', recovered: false }]);
      expect(await started(play, 'two')).toEqual([]);
      await play.trial.startBot();
      await verified(play);
      expect(await count(file)).toBe('begun begun done done');
      expect(await eventsOf(play, 'GateSpent')).toHaveLength(1);
    });
  });

  it('leaves a long step at work, and the next bot finds out what became of it', () =>
    scene(
      'term long',
      [apply('production'), at022],
      async (play) => {
        await play.phase(1);
        await inTheMiddle(play);
        await play.trial.bot().end('SIGTERM');
        expect(await play.trial.bot().exited).toBe(0);
        expect(await stepSessions(play, 'production'), 'the migration lives').toHaveLength(1);
        expect(await ends(play, 'production.apply')).toEqual([]);
        await play.trial.startBot();
        await verified(play);
        expect(await ends(play, 'production.apply')).toMatchObject([{ result: 'passed', recovered: true }]);
        expect(await started(play, 'production.apply')).toEqual([1]);
        expect(await upgrades(play, 1)).toBe(1);
      },
      // Longer than the bot waits at its end.
      { variant: 'slow', sleepSeconds: 28 },
    ));
});
