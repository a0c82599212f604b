import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SeenMessage } from '../../workspace/slack/people/protocol.js';
import { GROUPS, OTHER_TEAM_ID, USERS } from '../../workspace/slack/people.js';
import { gate, happened } from './acts.js';
import { cheap, leaveMark, openShelf, phase, type Shelf } from './runbooks.js';
import { channel, openTheatre, type Play, type Theatre, type Who } from './support.js';

let theatre: Theatre;
let shelf: Shelf;
let play: Play;
let folder: string;
beforeAll(async () => {
  theatre = await openTheatre();
  shelf = await openShelf();
  folder = await mkdtemp(join(tmpdir(), 'm10-marks-'));
  const marks = join(folder, 'marks');
  play = await theatre.open({
    runbook: await shelf.write(
      cheap([
        phase('one', [leaveMark('one.change', marks)]),
        phase('two', [leaveMark('two.change', marks)], { on: 'production' }),
      ]),
    ),
    production: { gate: { approvals: 2 } },
    slack: { rateLimits: 'off', retryScheduleMs: [] },
    change: {
      operators: [USERS.alice, USERS.dave],
      // Guests, strangers, bots and former members stand on the list too: who they are decides.
      approvers: {
        everyone: {
          users: [USERS.alice, USERS.bob, USERS.gina, USERS.gus, USERS.stan, USERS.rob, USERS.dora],
          usergroups: [GROUPS.dba],
        },
      },
    },
  });
  await play.trial.people.setGroup({ group: GROUPS.dba, users: [] });
  await play.preflight();
  await play.say('alice', '/m10 next');
});
afterAll(async () => {
  await theatre.close();
  await shelf.close();
  await rm(folder, { recursive: true, force: true });
});

/** The answer to a reaction: it names the person and stands below the request. */
async function answered(who: Who, on: SeenMessage, why: RegExp): Promise<void> {
  const answer = await play.message(
    'run:1:rejected',
    (m) =>
      m.text.startsWith(`<@${USERS[who]}>, your :white_check_mark: does not count: `) && why.test(m.text),
  );
  expect(answer.thread_ts).toBe(on.ts);
}

const approvals = async () =>
  (await play.journal()).filter((e) => e.type === 'ApprovalGiven').map((e) => e.data.by);
const started = async () =>
  (await play.journal()).flatMap((e) => (e.type === 'BlockStarted' ? [Object(e.data.block).id] : []));

describe('a ✅ does not count', () => {
  it.each<[what: string, who: Who, code: string, why: RegExp]>([
    ['of the person who asked, though listed', 'alice', 'own_request', /you asked for it/],
    ['of an operator who is no approver', 'dave', 'not_listed', /not on the approver list/],
    ['of a plain member', 'carol', 'not_listed', /not on the approver list/],
    ['of a guest, though listed', 'gina', 'guest', /guests do not approve/],
    ['of a single-channel guest, though listed', 'gus', 'guest', /guests do not approve/],
    ['of a stranger, though listed', 'stan', 'stranger', /outside the workspace/],
    ['of a bot, though listed', 'rob', 'bot', /bots do not approve/],
  ])('%s', async (_, who, code, why) => {
    const request = await gate(play, 1);
    await play.react(who, request);
    await answered(who, request, why);
    await happened(play, 'ReactionRejected', { gate: 1, by: USERS[who], code });
    expect(await approvals()).toEqual([]);
    expect(await started()).toEqual(['preflight']);
  });

  it('of a member of another workspace', async () => {
    await play.trial.people.setUser({ user: USERS.stan, isStranger: false, teamId: OTHER_TEAM_ID });
    const request = await gate(play, 1);
    await play.unreact('stan', request);
    await play.react('stan', request);
    await answered('stan', request, /another workspace/);
    await happened(play, 'ReactionRejected', { gate: 1, by: USERS.stan, code: 'other_workspace' });
  });

  it('of somebody who left before the bot could look', async () => {
    const { people } = play.trial;
    const request = await gate(play, 1);
    await people.setUser({ user: USERS.dora, deleted: false });
    await people.join({ user: USERS.dora, channel });
    await play.trial.bot().end('SIGKILL');
    await play.react('dora', request);
    await people.setUser({ user: USERS.dora, deleted: true });
    await play.trial.startBot();
    await answered('dora', request, /the account is deactivated/);
    await happened(play, 'ReactionRejected', { gate: 1, by: USERS.dora, code: 'deactivated' });
    // What was answered before the crash is not answered again.
    const told = (await people.read({ channel })).messages.filter((m) => m.text.includes('does not count'));
    expect(told.filter((m) => m.text.startsWith(`<@${USERS.gina}>`))).toHaveLength(1);
  });

  it('in a channel that is shared with another company', async () => {
    const request = await gate(play, 1);
    await play.trial.people.setChannel({ channel, isExtShared: true });
    await play.react('bob', request);
    await answered('bob', request, /shared with another company/);
    await play.unreact('bob', request);
    await play.trial.people.setChannel({ channel, isExtShared: false });
    await happened(play, 'ReactionRejected', { gate: 1, by: USERS.bob, code: 'shared_channel' });
  });

  it('of a member of the group before the group can be read, and it does by itself once it can', async () => {
    const { people } = play.trial;
    const request = await gate(play, 1);
    await people.setGroup({ group: GROUPS.dba, users: [USERS.carol] });
    await people.failNext({ method: 'usergroups.users.list', failure: 'internal_error', count: 8 });
    await play.unreact('carol', request);
    await play.react('carol', request);
    await happened(play, 'ApprovalGiven', { gate: 1, by: USERS.carol });
    expect((await play.journal()).filter((e) => e.data.code === 'lookup_failed')).toEqual([]);
    await play.text(/Run 1: phase one .* is done/);
    const [spent] = (await play.journal()).filter((e) => e.type === 'GateSpent');
    expect(spent?.data.approvers, 'not one of the others').toEqual([USERS.carol]);
    const { text } = await play.message('run:1:gate:1');
    expect(text).toContain(`Approved by <@${USERS.carol}>.`);
  });
});

it('an approver who is deactivated before the start counts no more', async () => {
  const { people } = play.trial;
  await play.say('alice', '/m10 next');
  const request = await gate(play, 2);
  await play.react('bob', request);
  await play.message('run:1:gate:2', (m) => /1 approval of 2 missing/.test(m.text));
  await people.setUser({ user: USERS.bob, deleted: true });
  await play.react('carol', request);
  await play.text(
    new RegExp(`approval by <@${USERS.bob}> does not count any more: the account is deactivated`),
  );
  await happened(play, 'ApprovalWithdrawn', { gate: 2, by: USERS.bob });
  const now = await play.message('run:1:gate:2', (m) => m.text.includes(`Given by <@${USERS.carol}>`));
  expect(now.text).toContain('1 approval of 2 missing');
  expect(await started()).toEqual(['preflight', 'one']);

  await people.setUser({ user: USERS.bob, deleted: false });
  await play.unreact('bob', request);
  await play.react('bob', request);
  await play.text(/Run 1: phase two .* is done/);
  const spent = (await play.journal()).filter((e) => e.type === 'GateSpent').at(-1);
  expect(spent?.data.approvers).toEqual([USERS.carol, USERS.bob]);
});

it('tells the whole of it in the audit', async () => {
  await play.say('bob', '/m10 audit 1');
  const audit = await play.text(/Audit of run 1/);
  const shown = JSON.stringify(audit.blocks);
  for (const code of ['own_request', 'not_listed', 'guest', 'stranger', 'bot', 'deactivated']) {
    expect(shown).toContain(`does not count (${code})`);
  }
});
