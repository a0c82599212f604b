import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commitBackend } from '../../workspace/backend/layout.js';
import { revisions } from '../../workspace/backend/variants.js';
import type { SeenMessage } from '../../workspace/slack/people/protocol.js';
import { USERS } from '../../workspace/slack/people.js';
import { eventually } from '../support/processes.js';
import { done, eventsOf, gate, happened } from './acts.js';
import { apply, cheap, leaveMark, openShelf, phase, type Shelf } from './runbooks.js';
import { openTheatre, type Play, type Theatre } from './support.js';

let theatre: Theatre;
let shelf: Shelf;
let folder: string;
beforeAll(async () => {
  theatre = await openTheatre();
  shelf = await openShelf();
  folder = await mkdtemp(join(tmpdir(), 'm10-marks-'));
});
afterAll(async () => {
  await theatre.close();
  await shelf.close();
  await rm(folder, { recursive: true, force: true });
});

/** Asks for the next phase and waits for the request. */
async function ask(play: Play, id: number): Promise<SeenMessage> {
  await play.say('alice', '/m10 next');
  return gate(play, id);
}

/** The phases that have started, in order. */
const started = async (play: Play) =>
  (await eventsOf(play, 'BlockStarted')).map((e) => String(Object(e.block).id));

/** How often a step that leaves marks has run. */
const runs = async (file: string) => (await readFile(file, 'utf8').catch(() => '')).split('begun').length - 1;

describe('a request', () => {
  let play: Play;
  const mark = (id: string) => join(folder, id);
  beforeAll(async () => {
    const marked = (id: string) => phase(id, [leaveMark(`${id}.change`, mark(id))]);
    const short = phase('short', [leaveMark('short.change', mark('short'))], { on: 'production' });
    play = await theatre.open({
      runbook: await shelf.write(cheap([...['one', 'two', 'three', 'four'].map(marked), short])),
      production: { gate: { expires: '3s' } },
      // What Slack could not deliver stays undelivered: the bot has to look for it.
      slack: { rateLimits: 'off', retryScheduleMs: [] },
    });
    await play.preflight();
  });

  it('is refused with ❌, and a ✅ that comes later is answered', async () => {
    const request = await ask(play, 1);
    await play.react('bob', request, 'x');
    const refused = await play.message('run:1:gate:1', (m) => /Refused/.test(m.text));
    expect(refused.text).toContain(`<@${USERS.bob}> refused. Nothing was started`);
    await play.react('carol', request);
    const late = await play.message('run:1:rejected', (m) => m.text.startsWith(`<@${USERS.carol}>`));
    expect(late.text).toContain(`<@${USERS.bob}> refused the request`);
    expect(late.thread_ts).toBe(request.ts);
    await happened(play, 'ReactionRejected', { gate: 1, by: USERS.carol, code: 'gate_closed' });
    expect(await started(play)).toEqual(['preflight']);
  });

  it('takes effect once, however often Slack delivers', async () => {
    const request = await ask(play, 2);
    await play.react('bob', request);
    await done(play, 'one');
    const before = await play.journal();
    await play.trial.people.redeliver({ count: 3 });
    // A later reaction that is answered shows that those before it have been handled.
    await play.react('dave', request);
    await happened(play, 'ReactionRejected', { gate: 2, by: USERS.dave });
    const after = await play.journal();
    expect(after.slice(before.length)).toMatchObject([
      { type: 'ReactionRejected', data: { by: USERS.dave, code: 'gate_closed' } },
    ]);
    expect(await runs(mark('one'))).toBe(1);
  });

  it('is approved while the bot is down', async () => {
    const request = await ask(play, 3);
    await play.trial.bot().end('SIGKILL');
    await play.react('bob', request);
    expect(await eventsOf(play, 'ApprovalGiven')).toHaveLength(1);
    await play.trial.startBot();
    await done(play, 'two');
    await happened(play, 'ApprovalGiven', { gate: 3, by: USERS.bob, via: 'reconciled' });
    expect(await runs(mark('two'))).toBe(1);
  });

  it('waits with the start while Slack is away', async () => {
    const { people } = play.trial;
    const request = await ask(play, 4);
    // The ✅ gets through; the looks right before the start do not, and then nothing does.
    await people.failNext({ method: 'reactions.get', failure: 'http_503', count: 12 });
    await play.react('bob', request);
    await happened(play, 'ApprovalGiven', { gate: 4, by: USERS.bob });
    const looked = async () =>
      (await people.calls({ method: 'reactions.get' })).calls.filter((c) => c.status === 503).length;
    expect(await eventually(async () => (await looked()) >= 4)).toBe(true);
    await people.outage({ mode: '503' });
    await expect(play.say('alice', '/m10 status')).rejects.toThrow('dispatch_failed');
    expect(await started(play)).toEqual(['preflight', 'one', 'two']);
    expect(await runs(mark('three'))).toBe(0);
    await people.outage({ mode: 'off' });
    await done(play, 'three');
    expect(await runs(mark('three'))).toBe(1);
  });

  it('is not started when the ✅ is taken back before the start', async () => {
    const request = await ask(play, 5);
    await play.trial.people.failNext({ method: 'reactions.get', failure: 'internal_error', count: 5 });
    await play.react('bob', request);
    await happened(play, 'ApprovalGiven', { gate: 5, by: USERS.bob });
    await play.unreact('bob', request);
    await happened(play, 'ApprovalWithdrawn', { gate: 5, by: USERS.bob });
    await play.text(new RegExp(`approval by <@${USERS.bob}> does not count any more`));
    const open = await play.message('run:1:gate:5', (m) => /1 approval of 1 missing/.test(m.text));
    expect(open.ts).toBe(request.ts);
    expect(await started(play)).toEqual(['preflight', 'one', 'two', 'three']);
    await play.react('carol', request);
    await done(play, 'four');
    expect((await eventsOf(play, 'GateSpent')).at(-1)).toMatchObject({ gate: 5, approvers: [USERS.carol] });
  });

  it('expires, and a ✅ that comes later is answered', async () => {
    const request = await ask(play, 6);
    await play.message('run:1:gate:6', (m) => /Expired/.test(m.text));
    await happened(play, 'GateExpired', { gate: 6 });
    await play.react('bob', request);
    const late = await play.message('run:1:rejected', (m) => m.text.includes('expired'));
    expect(late.thread_ts).toBe(request.ts);
    await happened(play, 'ReactionRejected', { gate: 6, by: USERS.bob, code: 'gate_expired' });
    expect(await started(play)).not.toContain('short');
    expect(await runs(mark('short'))).toBe(0);
    await play.say('alice', '/m10 close the time is over');
    const closed = await play.message('run:1:closed');
    expect(closed.text).toContain('the time is over');
  });
});

describe('an approval covers what was shown', () => {
  let play: Play;
  let runbook: string;
  const pair = () => join(folder, 'pair');
  beforeAll(async () => {
    runbook = await shelf.write(
      cheap([
        phase('pair', [leaveMark('pair.change', pair())], { on: 'production' }),
        phase('apply', [apply('staging')]),
      ]),
    );
    play = await theatre.open({ runbook, production: { gate: { approvals: 2 } } });
    await play.preflight();
  });

  /** Bob approves what has changed; the words that tell him so. */
  async function voided(id: number, request: SeenMessage): Promise<string> {
    await play.react('bob', request);
    const told = await play.message(`run:1:gate:${id}`, (m) => /Void/.test(m.text));
    await happened(play, 'GateVoided', { gate: id });
    expect(await started(play)).toEqual(['preflight', 'pair']);
    expect(await play.revision('staging')).toBe(revisions.before);
    return told.text;
  }

  it('by as many people as the target asks for', async () => {
    const request = await ask(play, 1);
    expect(request.text).toContain('2 approvals of 2 missing');
    await play.react('bob', request);
    await play.message('run:1:gate:1', (m) => /1 approval of 2 missing/.test(m.text));
    await play.react('bob', request, '+1');
    await play.unreact('bob', request);
    await play.unreact('bob', request, '+1');
    await play.message('run:1:gate:1', (m) => /2 approvals of 2 missing/.test(m.text));
    await play.react('carol', request);
    await play.message('run:1:gate:1', (m) => m.text.includes(`Given by <@${USERS.carol}>`));
    expect(await started(play)).toEqual(['preflight']);
    await play.react('bob', request);
    await done(play, 'pair');
    expect(await eventsOf(play, 'GateSpent')).toMatchObject([{ approvers: [USERS.carol, USERS.bob] }]);
    expect(await runs(pair())).toBe(1);
  });

  it('not another commit', async () => {
    const request = await ask(play, 2);
    await commitBackend(play.trial.backend, 'A deploy in between');
    expect(await voided(2, request)).toMatch(/code commit: [0-9a-f]{12} when approved, [0-9a-f]{12} now/);
  });

  it('not a migration that was edited on the spot', async () => {
    const request = await ask(play, 3);
    const file = join(play.trial.backend, 'README.txt');
    await writeFile(file, 'a note\n');
    expect(await voided(3, request)).toMatch(/uncommitted changes: none when approved, .*README\.txt now/);
    await commitBackend(play.trial.backend, 'The note');
  });

  it('not a database that was moved by hand', async () => {
    const request = await ask(play, 4);
    await play.query('staging', `UPDATE alembic_version SET version_num = '${revisions.matview}'`);
    await play.react('bob', request);
    const told = await play.message('run:1:gate:4', (m) => /Void/.test(m.text));
    expect(told.text).toContain(`${revisions.before} when approved, ${revisions.matview} now`);
    expect(await play.revision('staging')).toBe(revisions.matview);
    await play.query('staging', `UPDATE alembic_version SET version_num = '${revisions.before}'`);
  });

  it('and a runbook that is edited meanwhile changes nothing in a run under way', async () => {
    const request = await ask(play, 5);
    const text = await readFile(runbook, 'utf8');
    await writeFile(runbook, text.replaceAll(revisions.hardening, revisions.beyond));
    await play.react('bob', request);
    await done(play, 'apply');
    expect(await play.revision('staging')).toBe(revisions.hardening);
  });
});
