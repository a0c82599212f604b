import { describe, expect, test } from 'vitest';
import type { TargetConfig } from '../../src/config.js';
import type { Command, CommandOf, NotAsked, Signs } from '../../src/runbook/command.js';
import type { RunEvent } from '../../src/runbook/events.js';
import type { People } from '../../src/runbook/people.js';
import type { OpenedRun } from '../../src/runbook/state.js';
import { createGates } from '../../src/runner/gates.js';
import type { TargetReader } from '../../src/runner/ports.js';
import {
  alice,
  approve,
  bob,
  carol,
  eligible,
  given,
  open,
  opened,
  openGate,
  preflight,
  ran,
  ref,
  requestNext,
  resume,
  runbook,
  stagingStarted,
  t0,
} from '../runbook/spec.js';
import { elsewhere, kindsWith, password, plannerOf, still, target, targetsOf } from './sample.js';

const away: NotAsked = { kind: 'not_asked', why: 'rate limit', retryAfterMs: 30_000 };
const signs = (...approve: string[]): Signs => ({ kind: 'read', by: { approve, refuse: [], stop: [] } });
const approved = signs(bob);

/** Slack as it answers in this order; the last answer stays. */
function peopleWith(...answers: Signs[]): People {
  let asked = 0;
  return {
    verdict: async () => eligible,
    roster: async () => ({ eligible: [bob, carol], ineligible: [], problems: [], notAsked: [] }),
    async signs() {
      asked += 1;
      return answers[Math.min(asked, answers.length) - 1] ?? away;
    },
  };
}

const loss = { count: async () => [] };
const gatesOf = (
  targets: Readonly<Record<string, TargetConfig>>,
  people: People,
  change: Partial<Parameters<typeof createGates>[0]> = {},
) =>
  createGates({
    config: { targets, operators: [alice] },
    planner: plannerOf(targets),
    people,
    elsewhere,
    changing: ['change'],
    loss,
    now: () => t0,
    ...change,
  });

type Prepared = Awaited<ReturnType<ReturnType<typeof createGates>['prepare']>>;
const isOpen = (prepared: Prepared): prepared is CommandOf<'OpenGate'> =>
  !('kind' in prepared) && prepared.type === 'OpenGate';

/** The request for staging, opened under one configuration and about to be spent under another. */
async function spentUnder(
  before: Readonly<Record<string, TargetConfig>>,
  now: Readonly<Record<string, TargetConfig>>,
  people = peopleWith(approved),
) {
  const asked = given(preflight, requestNext());
  const gate = opened(asked.state).gates[0];
  if (gate === undefined) throw new Error('nothing was asked');
  const open = await gatesOf(before, people).prepare(opened(asked.state), gate);
  if ('kind' in open) throw new Error(open.why);
  const ready = given(preflight, requestNext(), open, approve(1));
  const [answered] = opened(ready.state).gates;
  if (answered === undefined) throw new Error('nothing was asked');
  // Wrapped, because what is decided has a `then` of its own.
  return { decided: ready.when(await gatesOf(now, people).spend(opened(ready.state), answered)) };
}

test('nothing different starts the phase', async () => {
  (await spentUnder(targetsOf(), targetsOf())).decided.then('GateSpent', 'BlockStarted');
});

test('another environment of the commands voids the approval', async () => {
  const now = targetsOf({ env: { PATH: '/opt/other:/usr/bin' } });
  const voided = (await spentUnder(targetsOf(), now)).decided.then('GateVoided');
  expect(JSON.stringify(voided.decision)).toContain('staging: configuration');
});

test('another Redis voids the approval, another password of the same one does not', async () => {
  const redis = (secret: string, port: number) =>
    targetsOf({ redisUrl: `redis://:${secret}@127.0.0.1:${port}` });
  (await spentUnder(redis(password, 1), redis(password, 2))).decided.then('GateVoided');
  (await spentUnder(redis(password, 1), redis('battery-staple', 1))).decided.then(
    'GateSpent',
    'BlockStarted',
  );
});

test('a stricter rule about who must approve voids what was approved under the old one', async () => {
  const now = { ...targetsOf(), staging: target('staging', { gate: { approvals: 2, expires: 60_000 } }) };
  (await spentUnder(targetsOf(), now)).decided.then('GateVoided');
});

test('a ✅ taken back while everything was planned again starts nothing', async () => {
  const people = peopleWith(approved, signs());
  (await spentUnder(targetsOf(), targetsOf(), people)).decided.then('ApprovalWithdrawn');
});

test('while Slack cannot be asked nothing is planned and nothing starts', async () => {
  (await spentUnder(targetsOf(), {}, peopleWith(away))).decided.then('LookupFailed');
});

test('approvers who cannot be looked up at the moment are looked up again, and not for ever', async () => {
  const people: People = {
    ...peopleWith(approved),
    roster: async () => ({ eligible: [], ineligible: [], problems: [], notAsked: [away] }),
  };
  const { state } = given(preflight, requestNext());
  const [gate] = opened(state).gates;
  if (gate === undefined) throw new Error('nothing was asked');
  const after = (ms: number) =>
    gatesOf(targetsOf(), people, { now: () => t0 + ms }).prepare(opened(state), gate);
  expect(await after(1_000)).toEqual(away);
  expect(await after(3_600_000)).toMatchObject({
    type: 'FailGate',
    reason: expect.stringContaining('could not be looked up'),
  });
});

test('a target that cannot be read at the last look keeps the approval', async () => {
  const unreadable: TargetReader = {
    ...still,
    identityParts: async () => {
      throw new Error('connection refused');
    },
  };
  const planner = plannerOf(targetsOf(), kindsWith(), unreadable);
  const gates = gatesOf(targetsOf(), peopleWith(approved), { planner });
  const ready = given(preflight, requestNext(), openGate(1), approve(1));
  const [gate] = opened(ready.state).gates;
  if (gate === undefined) throw new Error('nothing was asked');
  ready.when(await gates.spend(opened(ready.state), gate)).then('LookupFailed');
});

test('a message that is gone is waited for while the request is open: it is posted again', async () => {
  (await spentUnder(targetsOf(), {}, peopleWith({ kind: 'gone' }))).decided.then('LookupFailed');
});

describe('right before a change Slack is asked whether its approval stands', () => {
  const apply = { block: ref('staging'), step: 'apply' };

  async function asked(state: OpenedRun, people: People, at = apply, targets = targetsOf()) {
    const question = await gatesOf(targets, people).confirm(state, at);
    if (question === null) throw new Error('nothing was asked');
    return question;
  }

  const started = () => given(stagingStarted);
  const of = (story: ReturnType<typeof given>) => opened(story.state);

  test('it does: nothing is appended, and the change is next', async () => {
    const run = started();
    const after = run.when(await asked(of(run), peopleWith(approved))).then();
    expect(after.next()).toMatchObject({ kind: 'run_step', step: 'apply' });
  });

  test.each([
    ['the ✅ is not there', signs(carol), 'Slack shows 0 of 1 approvals that count on request 1'],
    [
      'its message is gone',
      { kind: 'gone' } as Signs,
      'the message of request 1 cannot be found in the channel',
    ],
  ])('%s: the run stops', async (_name, answer, why) => {
    const run = started();
    const after = run.when(await asked(of(run), peopleWith(answer)));
    after.then('ApprovalNotConfirmed').with({ gate: 1, step: 'apply', why } as Partial<RunEvent>);
    expect(after.next()).toEqual({ kind: 'stopped' });
    // Going on is a new request.
    given(stagingStarted, ...(after.decision.kind === 'accepted' ? after.decision.events : []))
      .when(resume)
      .then('ApprovalRequested');
  });

  test('who approved may not approve any more', async () => {
    const people: People = {
      ...peopleWith(approved),
      verdict: async () => ({ kind: 'ineligible', code: 'not_listed', why: 'is not listed' }),
    };
    const run = started();
    run.when(await asked(of(run), people)).then('ApprovalNotConfirmed');
  });

  test('a stricter rule of now counts', async () => {
    const strict = {
      ...targetsOf(),
      staging: target('staging', { gate: { approvals: 2, expires: 60_000 } }),
    };
    const run = started();
    run.when(await asked(of(run), peopleWith(approved), apply, strict)).then('ApprovalNotConfirmed');
  });

  test('a Slack that cannot be asked is not a no', async () => {
    const run = started();
    run.when(await asked(of(run), peopleWith(away))).refused('slack_unreachable');
    const failing: People = {
      ...peopleWith(approved),
      verdict: async () => away,
    };
    run.when(await asked(of(run), failing)).refused('slack_unreachable');
    // Of somebody whose reaction is gone nothing more is to be found out.
    const gone: People = { ...failing, signs: async () => signs() };
    run.when(await asked(of(run), gone)).then('ApprovalNotConfirmed');
  });

  test('a check is not asked about', async () => {
    const run = given(stagingStarted, ran('staging', 'apply'));
    const gates = gatesOf(targetsOf(), peopleWith(away));
    expect(await gates.confirm(of(run), { block: ref('staging'), step: 'verify' })).toBeNull();
  });

  test('a run that calls its changes checks changes nothing without an approval', async () => {
    const ungated = {
      ...runbook,
      phases: runbook.phases.map((phase) => ({ ...phase, gate: 'none' as const })),
    };
    const run = given({ ...open, runbook: ungated, changing: [] } as Command, [
      { type: 'BlockStarted', block: ref('staging'), from: null },
    ]);
    expect(run.next()).toMatchObject({ kind: 'run_step', step: 'apply' });
    const after = run.when(await asked(of(run), peopleWith(approved))).then('ApprovalNotConfirmed');
    expect(after.next()).toEqual({ kind: 'stopped' });
  });
});

test('every digest of a fingerprint is whole', async () => {
  const asked = given(preflight, requestNext());
  const gate = opened(asked.state).gates[0];
  if (gate === undefined) throw new Error('nothing was asked');
  const open = await gatesOf(targetsOf(), peopleWith(approved)).prepare(opened(asked.state), gate);
  if (!isOpen(open)) throw new Error(`the request is not open: ${JSON.stringify(open)}`);
  const { parts } = open.fingerprint;
  const digests = Object.entries(parts).filter(([, value]) => /^[0-9a-f]{12,}$/.test(value));
  expect(digests.map(([name]) => name)).toEqual(
    expect.arrayContaining(['staging: configuration', expect.stringMatching(/^step /)]),
  );
  for (const [name, value] of digests) expect([name, value.length]).toEqual([name, 64]);
});

test('a request for the rollback counts what it loses, which a later count does not void', async () => {
  let rows = 0;
  const counting = {
    count: async () => {
      rows += 1;
      return [{ label: 'rows', target: 'staging', count: rows, note: '' }];
    },
  };
  const gates = gatesOf(targetsOf(), peopleWith(approved), { loss: counting });
  const asked = given(preflight, requestNext());
  const gate = opened(asked.state).gates[0];
  if (gate === undefined) throw new Error('nothing was asked');
  const forward = await gates.prepare(opened(asked.state), gate);
  expect(forward).toMatchObject({ type: 'OpenGate' });
  expect(JSON.stringify(forward)).not.toContain('"loss"');
  const back = {
    ...gate,
    cover: { kind: 'block', block: { kind: 'rollback' }, from: null, reason: '' },
  } as const;
  const [first, second] = [
    await gates.prepare(opened(asked.state), back),
    await gates.prepare(opened(asked.state), back),
  ];
  if (!isOpen(first) || !isOpen(second)) throw new Error('the request is not open');
  expect([first.plan.loss?.[0]?.count, second.plan.loss?.[0]?.count]).toEqual([1, 2]);
  expect(second.fingerprint).toEqual(first.fingerprint);
});
