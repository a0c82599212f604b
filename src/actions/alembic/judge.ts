import { sayStep } from '../../checks/alembic-client.js';
import { failed, passed, unknown } from '../../checks/outcome.js';
import type { Look } from '../../checks/plan/judged.js';
import { type MigrationPlan, stepsOf } from '../../checks/plan/migration-plan.js';
import { isAt, sayRevision, sayRevisions } from '../../checks/revision.js';
import type { ReportStep } from '../../clients/alembic/report.js';
import type { MigrateResult } from '../../clients/alembic.js';
import type { Outcome } from '../../runbook/step-kind.js';
import type { Aftermath } from './after.js';
import { type Stayed, sayStayed, stayedOf } from './stayed.js';
import { lowerFirst, sayTrouble } from './words.js';

/** What a migration came to: each sentence rests on the report from inside, or on what was read afterwards. */
export interface Ran {
  /** One for each command; the last one is where it ended. */
  readonly results: readonly MigrateResult[];
  /** Of attempts before this one, which may have left something as well. */
  readonly earlier?: readonly MigrateResult[];
  readonly after: Aftermath;
  readonly lockTimeout: string;
  readonly blockers: readonly string[];
  readonly look: Look;
  /** Applied to statements before they are shortened. */
  redact(text: string): string;
}

/** Compares what Alembic did with the plan, and the revision of now with the one that was wanted. */
export async function judge(name: string, plan: MigrationPlan, ran: Ran): Promise<Outcome> {
  const { results, after } = ran;
  const result = results.at(-1);
  if (result === undefined) return failed('nothing was run');
  const facts = { lockTimeout: ran.lockTimeout, blocker: ran.blockers[0] ?? null, target: name };
  const ended = result.kind === 'done' ? 'Alembic ended without an error' : sayTrouble(result, facts);
  if (after.kind !== 'settled') {
    return unknown(`${ended}, and what became of ${name} is not known: ${after.why}`);
  }
  const where = `${name} is at ${sayRevision(after.stored)}`;
  const stayed = await stayedAfter(plan, ran, after);
  if (isAt(after.stored, plan.to)) return arrived(name, plan, ran, ended, stayed);
  if (isAt(after.stored, plan.from)) return unmoved(where, plan, ran, ended, stayed);
  const part = stayed.kind === 'nothing' ? '' : `; ${sayStayed(stayed, ran.redact)}`;
  return brokenOff(
    `${ended}; ${where}, which is neither ${sayRevisions(plan.from)} nor ${sayRevisions(plan.to)}${part}`,
    stayed,
  );
}

/** What is left of a migration that was not carried out as a whole. */
export async function stayedAfter(
  plan: Pick<MigrationPlan, 'from' | 'to'>,
  { results, earlier = [], look }: Pick<Ran, 'results' | 'earlier' | 'look'>,
  { stored, traces }: Extract<Aftermath, { kind: 'settled' }>,
): Promise<Stayed> {
  const version = isAt(stored, plan.from) ? 'kept' : isAt(stored, plan.to) ? 'moved' : 'other';
  return stayedOf(
    [...earlier, ...results].map((r) => r.observed),
    { traces, version },
    look,
  );
}

/** It did not arrive; whether that is all there is to say depends on what is known of the rest. */
function brokenOff(sentence: string, stayed: Stayed): Outcome {
  return stayed.kind === 'unknown' ? unknown(sentence) : failed(sentence);
}

function arrived(name: string, plan: MigrationPlan, ran: Ran, ended: string, stayed: Stayed): Outcome {
  const { results } = ran;
  const result = results.at(-1);
  const done = results.flatMap((r) => r.steps);
  const observed = results.every((r) => r.observed !== null);
  const moved = `${name} went ${plan.direction === 'upgrade' ? '' : 'back '}from ${sayRevisions(plan.from)} to ${sayRevisions(plan.to)}`;
  if (!sameSteps(done, stepsOf(plan))) {
    if (!observed && done.length === 0 && result?.kind === 'done') {
      // A log that goes elsewhere is as silent as an Alembic that did nothing.
      return passed(
        `${moved}; Alembic was not observed and printed no steps, so who moved it was not verified`,
      );
    }
    // A commit for each step is made before the step is reported as done: killed in between, the last one is missing.
    const killedBehind =
      result?.kind === 'ended_early' && stayed.movedVersion && sameSteps(begunIn(results), stepsOf(plan));
    if (!observed || !killedBehind) {
      const what = done.length === 0 ? 'nothing' : done.map(sayStep).join(', ');
      return failed(
        `${name} is at ${sayRevisions(plan.to)}, but ${observed ? 'this Alembic ran' : 'Alembic printed'} ${what} where the plan has ${stepsOf(plan).map(sayStep).join(', ')}: another client may have changed it at the same time. ${ended}`,
      );
    }
  }
  if (result?.kind === 'done') return passed(moved);
  if (!observed || !stayed.movedVersion) {
    return failed(
      `${ended}, but ${name} is at ${sayRevisions(plan.to)}, and Alembic was not seen to commit that: another client may have moved it at the same time. Find out who before you go on`,
    );
  }
  if (stayed.uncertain.length > 0 || stayed.unanswered.length > 0) {
    return unknown(`${moved}, although ${lowerFirst(ended)}; ${sayStayed(stayed, ran.redact)}`);
  }
  return passed(`${moved}, although ${lowerFirst(ended)}: the change was complete by then`);
}

function begunIn(results: readonly MigrateResult[]): ReportStep[] {
  return results.flatMap((r) => r.observed?.begun ?? []);
}

function unmoved(where: string, plan: MigrationPlan, ran: Ran, ended: string, stayed: Stayed): Outcome {
  const { results } = ran;
  const result = results.at(-1);
  const done = results.flatMap((r) => r.steps);
  const observed = results.every((r) => r.observed !== null);
  const still = `${where} still`;
  if (result?.kind === 'refused') {
    return brokenOff(
      stayed.kind === 'nothing'
        ? `${ended}. ${still}, nothing was changed`
        : `${ended}. ${still}; ${sayStayed(stayed, ran.redact)}`,
      stayed,
    );
  }
  if (!observed && result?.kind === 'done') {
    const said =
      done.length === 0 ? 'printed no steps' : `printed that it ran ${done.map(sayStep).join(', ')}`;
    return unknown(
      `Alembic ${said} and ended without an error, but ${still}: it may have worked on another database. Find out on which before anything else`,
    );
  }
  if (result?.kind === 'done' && stayed.kind === 'nothing' && done.length > 0) {
    return failed(
      `Alembic ran ${done.map(sayStep).join(', ')} and ended without an error, but committed nothing; ${still}. env.py has to commit its transaction`,
    );
  }
  return brokenOff(
    `${ended}; ${still}, expected ${sayRevisions(plan.to)}; ${sayStayed(stayed, ran.redact)}`,
    stayed,
  );
}

export function sameSteps(a: readonly ReportStep[], b: readonly ReportStep[]): boolean {
  return (
    a.length === b.length &&
    a.every((step, i) => step.direction === b[i]?.direction && step.revision === b[i]?.revision)
  );
}
