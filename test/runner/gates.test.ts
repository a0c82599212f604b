import { expect, test } from 'vitest';
import type { TargetConfig } from '../../src/config.js';
import type { Command } from '../../src/runbook/command.js';
import type { People } from '../../src/runbook/people.js';
import { createGates } from '../../src/runner/gates.js';
import {
  alice,
  approve,
  bob,
  carol,
  eligible,
  given,
  opened,
  preflight,
  requestNext,
} from '../runbook/spec.js';
import { password, plannerOf, target, targetsOf } from './sample.js';

type Signs = Awaited<ReturnType<People['signs']>>;
const approved: Signs = { approve: [bob], refuse: [], stop: [] };

/** Slack as it answers in this order; the last answer stays. */
function peopleWith(...answers: Signs[]): People {
  let asked = 0;
  return {
    verdict: async () => eligible,
    roster: async () => ({ eligible: [bob, carol], ineligible: [], problems: [] }),
    async signs() {
      asked += 1;
      return answers[Math.min(asked, answers.length) - 1] ?? null;
    },
  };
}

const loss = { count: async () => [] };
const gatesOf = (targets: Readonly<Record<string, TargetConfig>>, people: People) =>
  createGates({ config: { targets, operators: [alice] }, planner: plannerOf(targets), people, loss });

/** The request for staging, opened under one configuration and about to be spent under another. */
async function spentUnder(
  before: Readonly<Record<string, TargetConfig>>,
  now: Readonly<Record<string, TargetConfig>>,
  people = peopleWith(approved),
) {
  const asked = given(preflight, requestNext());
  const gate = opened(asked.state).gates[0];
  if (gate === undefined) throw new Error('nothing was asked');
  const open: Command = await gatesOf(before, people).prepare(opened(asked.state), gate);
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
  const people = peopleWith(approved, { approve: [], refuse: [], stop: [] });
  (await spentUnder(targetsOf(), targetsOf(), people)).decided.then('ApprovalWithdrawn');
});

test('while Slack cannot be asked nothing is planned and nothing starts', async () => {
  (await spentUnder(targetsOf(), {}, peopleWith(null))).decided.refused('slack_unreachable');
});

test('every digest of a fingerprint is whole', async () => {
  const asked = given(preflight, requestNext());
  const gate = opened(asked.state).gates[0];
  if (gate === undefined) throw new Error('nothing was asked');
  const open = await gatesOf(targetsOf(), peopleWith(approved)).prepare(opened(asked.state), gate);
  if (open.type !== 'OpenGate') throw new Error(`the request is not open: ${JSON.stringify(open)}`);
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
  const gates = createGates({
    config: { targets: targetsOf(), operators: [alice] },
    planner: plannerOf(targetsOf()),
    people: peopleWith(approved),
    loss: counting,
  });
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
  if (first.type !== 'OpenGate' || second.type !== 'OpenGate') throw new Error('the request is not open');
  expect([first.plan.loss?.[0]?.count, second.plan.loss?.[0]?.count]).toEqual([1, 2]);
  expect(second.fingerprint).toEqual(first.fingerprint);
});
