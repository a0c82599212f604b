import { describe, expect, test } from 'vitest';
import {
  alice,
  approve,
  bob,
  carol,
  eligible,
  expiresMs,
  facts,
  given,
  guest,
  notAsked,
  opened,
  openGate,
  otherFingerprint,
  preflight,
  react,
  requestNext,
  spend,
  stagingDone,
  stagingStarted,
  stop,
  t0,
  unreact,
} from './spec.js';

const asked = [...preflight, requestNext(), openGate(1)];

describe('asking', () => {
  test('after the checks the run waits for the operator', () => {
    expect(given(preflight).next()).toEqual({ kind: 'await_next', phase: 'staging' });
  });
  test('a request is prepared, then opened, then waits until it expires', () => {
    expect(given(preflight, requestNext()).next()).toMatchObject({ kind: 'prepare_gate', gate: { id: 1 } });
    expect(given(asked).next()).toMatchObject({ kind: 'wait_approval', until: t0 + expiresMs });
    expect(given(asked).next(t0 + expiresMs)).toMatchObject({ kind: 'expire_gate' });
  });
  test('only operators ask', () => {
    given(preflight)
      .when({ type: 'RequestNext', by: bob, operator: false, via: 'command' })
      .refused('not_an_operator');
  });
  test('the same thing is not asked twice', () => {
    given(asked).when(requestNext()).refused('gate_open');
    given(preflight, requestNext()).when(requestNext()).refused('gate_open');
  });
  test('a request that could not be prepared frees the way for the next', () => {
    given(preflight, requestNext(), { type: 'FailGate', gate: 1, reason: 'database down' })
      .when(requestNext())
      .then('ApprovalRequested')
      .with({ gate: 2 });
  });
});

describe('answering', () => {
  test('an approver approves', () => {
    given(asked).when(approve(1)).then('ApprovalGiven').with({ by: bob });
    expect(given(asked, approve(1)).next()).toMatchObject({ kind: 'spend_gate' });
  });
  test('the requester does not count, even when listed', () => {
    given(asked).when(approve(1, alice)).then('ReactionRejected').with({ code: 'own_request' });
  });
  test('somebody who is not eligible is answered with the reason', () => {
    given(asked)
      .when(approve(1, 'UGINA', guest))
      .then('ReactionRejected')
      .with({ code: 'guest' });
  });
  test('the same person approves once', () => {
    given(asked, approve(1)).when(approve(1)).then();
  });
  test('too late is answered, and the request expires', () => {
    given(asked)
      .when(approve(1), t0 + expiresMs)
      .then('GateExpired', 'ReactionRejected')
      .with({}, { code: 'gate_expired' });
    given(asked, { type: 'GateExpired', gate: 1 })
      .when(approve(1), t0 + expiresMs + 1)
      .then('ReactionRejected');
  });
  test('an emoji on a spent, refused, voided or withdrawn request is answered', () => {
    given(stagingStarted).when(approve(1, carol)).then('ReactionRejected').with({ code: 'gate_closed' });
    given(asked, react(1, 'refuse', bob))
      .when(approve(1, carol))
      .with({ code: 'gate_closed' });
    given(asked, stop()).when(approve(1, carol)).with({ code: 'gate_closed' });
    given(asked, { type: 'GateVoided', gate: 1, diff: ['x'] })
      .when(approve(1))
      .with({ code: 'gate_closed' });
  });
  test('looking again does not answer the same person twice', () => {
    const rejected = { ...approve(1, 'UGINA', guest), via: 'reconciled' } as const;
    given(asked, approve(1, 'UGINA', guest))
      .when(rejected)
      .then();
    given(asked).when(rejected).then('ReactionRejected');
  });
  test('an approver, an operator or the requester may refuse; others may not', () => {
    given(asked)
      .when(react(1, 'refuse', bob))
      .then('GateRefused');
    given(asked)
      .when(react(1, 'refuse', alice))
      .then('GateRefused');
    given(asked)
      .when({ ...approve(1, 'UDAVE', guest), sign: 'refuse' } as const)
      .then('ReactionRejected');
    given(asked)
      .when({ ...approve(1, 'UOP', guest), sign: 'refuse', operator: true } as const)
      .then('GateRefused');
  });
  test('anyone stops', () => {
    given(asked)
      .when(react(1, 'stop', 'UGINA'))
      .then('GateCancelled', 'StopRequested');
  });
  test('a stop sign on an old request still stops the run', () => {
    given(stagingStarted)
      .when(react(1, 'stop', 'UGINA'))
      .then('StopRequested');
  });
  test('a ✅ taken back is an approval taken back', () => {
    given(asked, approve(1)).when(unreact(1)).then('ApprovalWithdrawn');
    expect(given(asked, approve(1), unreact(1)).next()).toMatchObject({ kind: 'wait_approval' });
  });
  test('a ✅ taken back after the start changes nothing', () => {
    given(stagingStarted).when(unreact(1)).then();
  });
});

describe('spending', () => {
  const approved = [...asked, approve(1)];
  test('nothing different starts the phase', () => {
    given(approved)
      .when(spend(1))
      .then('GateSpent', 'BlockStarted')
      .with({ approvers: [bob] }, { type: 'BlockStarted' });
  });
  test('an approval is spent once', () => {
    given(stagingStarted).when(spend(1)).refused('stale');
    expect(opened(given(stagingDone).state).gates[0]?.status).toBe('spent');
  });
  test('a different fingerprint voids the request and says what differs', () => {
    given(approved)
      .when(spend(1, { fingerprint: { kind: 'computed', fingerprint: otherFingerprint } }))
      .then('GateVoided')
      .with({ diff: ['production: revision: a when approved, b now'] });
  });
  test('a fingerprint that cannot be computed voids the request', () => {
    given(approved)
      .when(spend(1, { fingerprint: { kind: 'failed', why: 'down' } }))
      .then('GateVoided');
  });
  test('a reaction that is gone is an approval taken back', () => {
    given(approved)
      .when(spend(1, { reactions: { kind: 'read', by: { approve: [], refuse: [], stop: [] } } }))
      .then('ApprovalWithdrawn');
  });
  test('an approver who no longer counts is an approval taken back', () => {
    given(approved)
      .when(spend(1, { verdicts: { [bob]: guest } }))
      .then('ApprovalWithdrawn');
    given(approved)
      .when(spend(1, { verdicts: {} }))
      .then('LookupFailed');
  });
  test('while Slack cannot be asked nothing starts and nothing is lost', () => {
    given(approved)
      .when(spend(1, { reactions: notAsked }))
      .then('LookupFailed');
    given(approved, spend(1, { reactions: notAsked }))
      .when(spend(1, { reactions: notAsked }))
      .refused('slack_unreachable');
    given(approved)
      .when(spend(1, { fingerprint: notAsked }))
      .then('LookupFailed');
  });
  test('a look-up without an answer keeps the approval, and says once what the request waits for', () => {
    const waits = given(approved)
      .when(spend(1, { verdicts: { [bob]: notAsked } }))
      .then('LookupFailed')
      .with({ users: [bob], why: 'rate limit' });
    expect(opened(waits.state).gates[0]).toMatchObject({ status: 'open', approvals: [{ by: bob }] });
    const again = given(approved, spend(1, { verdicts: { [bob]: notAsked } }));
    again.when(spend(1, { verdicts: { [bob]: notAsked } })).refused('slack_unreachable');
    const spent = again.when(spend(1)).then('GateSpent', 'BlockStarted');
    expect(opened(spent.state).gates[0]?.waits).toBeNull();
    again.when(spend(1, { verdicts: { [bob]: guest } })).then('ApprovalWithdrawn');
  });
  test('enough people who count start it, whoever else has no answer', () => {
    const reactions = { kind: 'read' as const, by: { approve: [bob, carol], refuse: [], stop: [] } };
    given(approved, approve(1, carol))
      .when(spend(1, { reactions, verdicts: { [bob]: notAsked, [carol]: eligible } }))
      .then('GateSpent', 'BlockStarted')
      .with({ approvers: [carol] }, {});
  });
  test('a refusal by somebody without an answer holds the start until there is one', () => {
    const reactions = { kind: 'read' as const, by: { approve: [bob], refuse: [carol], stop: [] } };
    const held = { reactions, verdicts: { [bob]: eligible, [carol]: notAsked } };
    given(approved)
      .when(spend(1, held))
      .then('LookupFailed')
      .with({ users: [carol] });
    given(approved, spend(1, held))
      .when(spend(1, { reactions, verdicts: { [bob]: eligible, [carol]: guest } }))
      .then('GateSpent', 'BlockStarted');
  });
  test('a reaction without an answer is decided once there is one, and forgotten once it is taken back', () => {
    const waits = given(asked, approve(1, bob, notAsked));
    expect(opened(waits.state).gates[0]).toMatchObject({ approvals: [], waits: { users: [bob] } });
    waits.when(approve(1, bob, notAsked)).refused('slack_unreachable');
    waits.when(approve(1, bob)).then('ApprovalGiven');
    waits
      .when(approve(1, bob, guest))
      .then('ReactionRejected')
      .with({ code: 'guest' });
    expect(opened(waits.when(approve(1, bob)).state).gates[0]?.waits).toBeNull();
    const gone = waits.when(unreact(1)).then('ApprovalWithdrawn');
    expect(opened(gone.state).gates[0]?.waits).toBeNull();
  });
  test('a refusal or a stop that was missed counts now', () => {
    given(approved)
      .when(spend(1, { reactions: { kind: 'read', by: { approve: [bob], refuse: [carol], stop: [] } } }))
      .then('GateRefused');
    given(approved)
      .when(spend(1, { reactions: { kind: 'read', by: { approve: [bob], refuse: [], stop: ['UGINA'] } } }))
      .then('GateCancelled', 'StopRequested');
    given(approved)
      .when(
        spend(1, {
          reactions: { kind: 'read', by: { approve: [bob], refuse: ['UGINA'], stop: [] } },
          verdicts: { [bob]: eligible, UGINA: guest },
        }),
      )
      .then('GateSpent', 'BlockStarted');
    given(approved)
      .when(
        spend(1, {
          reactions: { kind: 'read', by: { approve: [bob], refuse: ['UOTTO'], stop: [] } },
          operators: ['UOTTO'],
        }),
      )
      .then('GateRefused');
  });
  test('an expired request is not spent', () => {
    given(approved)
      .when(spend(1), t0 + expiresMs)
      .then('GateExpired');
  });
  test('two approvals are two people', () => {
    const two = [...stagingDone, requestNext(), openGate(2, 2), approve(2), approve(2)];
    expect(given(two).next()).toMatchObject({ kind: 'wait_approval' });
    const both = {
      reactions: { kind: 'read' as const, by: { approve: [bob, carol], refuse: [], stop: [] } },
    };
    given(two, approve(2, carol)).when(spend(2, both)).then('GateSpent', 'BlockStarted');
    given(two, approve(2, carol))
      .when(spend(2, facts({ verdicts: { [bob]: eligible, [carol]: guest }, ...both })))
      .then('ApprovalWithdrawn');
  });
});
