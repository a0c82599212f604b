import type { EndAttempt } from '../actions/end-attempt.js';
import type { Config, TargetConfig } from '../config.js';
import type { CommandOf } from '../runbook/command.js';
import { type BlockRef, blockKey, findBlock, type Step, targetOf } from '../runbook/definition.js';
import type { Where } from '../runbook/events.js';
import { type Executed, journalExecuted, redactedExecuted } from '../runbook/executed.js';
import type { Digest } from '../runbook/fingerprint.js';
import { approvalOf, type Gate, isChanging, type OpenedRun, stepProgress } from '../runbook/state.js';
import type { BoundStep, Outcome, Probe, StepContext } from '../runbook/step-kind.js';
import { driftOf, surveyDrift } from './drift.js';
import type { Elsewhere } from './elsewhere.js';
import { reasonToEnd } from './overdue.js';
import type { Planner } from './plan.js';
import type { Log } from './ports.js';

/** How much of a step's output is kept in the journal, characters; the whole stays in a file. */
const keptOutput = 6_000;
/** How much of an event's hash names its files, characters: 64 bits. */
const markLength = 16;

export interface StepAt {
  readonly block: BlockRef;
  readonly step: string;
  readonly attempt: number;
}

export interface Steps {
  /** Runs a step that has been started, to its end. Never throws: what goes wrong is an outcome. */
  run(state: OpenedRun, at: StepAt, signal: AbortSignal): Promise<CommandOf<'FinishStep'>>;
  /**
   * Finds out what became of a step whose runner died, and ends it when its time is over or somebody said
   * `stop now`. null: it is still running.
   */
  recover(
    state: OpenedRun,
    at: StepAt,
    signal: AbortSignal,
  ): Promise<CommandOf<'FinishStep'> | CommandOf<'RedoStep'> | null>;
}

export function createSteps(deps: {
  readonly config: Pick<Config, 'targets'>;
  /** Identity of this replica's state directory. */
  readonly directory: string;
  readonly planner: Planner;
  readonly digest: Digest;
  readonly redact: (text: string) => string;
  /** Keeps output that is too long for the journal; returns its place, relative to the state directory. */
  readonly keepOutput: (childId: string, text: string) => Promise<string>;
  readonly elsewhere: Elsewhere;
  readonly endAttempt: EndAttempt;
  /** The clock of the journal, which says when a step was started; ms since the epoch. */
  readonly now: () => number | Promise<number>;
  readonly log: Log;
}): Steps {
  const { config, planner, redact, now, log } = deps;

  async function prepare(state: OpenedRun, at: StepAt, signal: AbortSignal) {
    const block = findBlock(state.runbook, at.block);
    const step = block?.steps.find((s) => s.id === at.step);
    if (block === undefined || step === undefined)
      return { problem: `step ${at.step} is not in the runbook` };
    const name = targetOf(state.runbook, block, step);
    const target = config.targets[name];
    if (target === undefined) return { problem: `target ${name} is not in the configuration` };
    const bound = planner.bind(step);
    if ('problem' in bound) return bound;
    return { step, bound, context: await contextOf(state, at, step, target, signal) };
  }

  async function contextOf(
    state: OpenedRun,
    at: StepAt,
    step: Step,
    target: TargetConfig,
    signal: AbortSignal,
  ): Promise<StepContext<TargetConfig>> {
    const { startedAt, startHash, startedIn } = stepProgress(state, at.block, at.step);
    // An attempt that an earlier release started keeps the names that it gave.
    const mark = startedIn === null ? '' : (startHash ?? '').slice(0, markLength);
    return {
      runbook: state.runbook,
      step,
      target,
      redact,
      elsewhere: await deps.elsewhere(state, target.name),
      run: state.run,
      attempt: at.attempt,
      startedAt: startedAt ?? Date.now(),
      childId: `run-${state.run}/${blockKey(at.block).replace(':', '.')}/${step.id}/${at.attempt}${mark === '' ? '' : `-${mark}`}`,
      mark,
      applicationName: applicationName(state.run, at, deps.digest),
      signal,
      dataOf: (id) => dataOf(state, at.block, id),
      requester: state.requester,
      approval: approvedBy(approvalOf(state, at.block)),
      drift: (survey) => surveyDrift(approvalOf(state, at.block), step, survey, redact),
    };
  }

  /** The list in the size that the journal keeps; the whole one goes into a file beside it. */
  async function keepExecuted(childId: string, executed: Executed): Promise<Executed> {
    const whole = redactedExecuted(executed, redact);
    const { kept, cut } = journalExecuted(whole);
    const file = cut ? await keep(`${childId}/executed`, JSON.stringify(whole.statements)) : null;
    return file === null ? kept : { ...kept, file };
  }

  /** A full disk must not hide how the step ended. */
  async function keep(childId: string, text: string): Promise<string | null> {
    try {
      return await deps.keepOutput(childId, text);
    } catch (error) {
      log.error({ error, childId }, 'a long output could not be kept; the journal has its two ends');
      return null;
    }
  }

  async function finish(
    at: StepAt,
    childId: string,
    outcome: Outcome,
    durationMs: number,
    recovered: boolean,
  ): Promise<CommandOf<'FinishStep'>> {
    const whole = redact(outcome.output ?? '');
    const kept = whole.length > keptOutput ? await keep(childId, whole) : null;
    return {
      type: 'FinishStep',
      block: at.block,
      step: at.step,
      attempt: at.attempt,
      result: outcome.result,
      summary: redact(outcome.summary),
      output: ends(whole),
      outputFile: kept,
      data: outcome.data ?? {},
      durationMs: Math.max(0, Math.round(durationMs)),
      recovered,
      ...(outcome.executed === undefined ? {} : { executed: await keepExecuted(childId, outcome.executed) }),
      ...(outcome.notes === undefined ? {} : { notes: outcome.notes.map(redact) }),
    };
  }

  const bug = (at: StepAt, summary: string, durationMs: number, output = '') =>
    finish(at, 'bug', { result: 'unknown', summary, output }, durationMs, false);

  return {
    async run(state, at, signal) {
      const begun = performance.now();
      const took = () => performance.now() - begun;
      const ready = await prepare(state, at, signal);
      if ('problem' in ready) {
        return finish(at, 'none', { result: 'failed', summary: ready.problem }, took(), false);
      }
      try {
        const drift =
          isChanging(state, ready.step) && !planner.holdsApproval(ready.step)
            ? await driftOf(approvalOf(state, at.block), ready.step, ready.bound, ready.context, redact)
            : [];
        if (drift.length > 0) {
          const summary = 'not run: what it would do now is not what was approved';
          const outcome: Outcome = { result: 'failed', summary, output: drift.join('\n') };
          return await finish(at, ready.context.childId, outcome, took(), false);
        }
        const outcome = await withTimeout(ready.bound, ready.context, ready.step.timeout);
        return await finish(at, ready.context.childId, endedBy(signal, outcome), took(), false);
      } catch (error) {
        log.error({ error, step: at.step }, 'a step broke off with an error of the bot itself');
        const summary = `the bot failed while it ran this step (${message(error)}); what happened on the target is not known`;
        return bug(at, summary, took(), error instanceof Error ? (error.stack ?? '') : '');
      }
    },
    async recover(state, at, signal) {
      const { startedIn, ...progress } = stepProgress(state, at.block, at.step);
      const startedAt = progress.startedAt ?? (await now());
      const took = async () => (await now()) - startedAt;
      const ready = await prepare(state, at, signal);
      if ('problem' in ready) return bug(at, ready.problem, await took());
      const redo: CommandOf<'RedoStep'> = {
        type: 'RedoStep',
        block: at.block,
        step: at.step,
        attempt: at.attempt,
      };
      // A check changes nothing, so it is simply run again; a program of it that still runs is not needed any more.
      if (!isChanging(state, ready.step)) {
        await deps.endAttempt(ready.context);
        return redo;
      }
      const probedNow = async () =>
        believed(await probed(ready.bound, ready.context), startedIn, deps.directory);
      let probe = await probedNow();
      let ended: string | null = null;
      if (probe.kind === 'running') {
        ended = reasonToEnd(state, ready.step, startedAt, await now());
        if (ended === null) return null;
        log.warn({ run: state.run, step: at.step, why: ended }, 'ending a step that outlived its runner');
        await deps.endAttempt(ready.context);
        probe = await probedNow();
      }
      const found = async (outcome: Outcome) =>
        finish(at, ready.context.childId, outcome, await took(), true);
      switch (probe.kind) {
        case 'done':
          return found(probe.outcome);
        case 'not_done':
          // What people or the clock have ended is not begun again by itself.
          return ended === null
            ? redo
            : found({ result: 'failed', summary: `${ended}, before it was done`, output: probe.evidence });
        case 'running':
          return null;
        case 'unknown': {
          const why = ended === null ? '' : ` (${ended})`;
          const summary = `the bot was interrupted and cannot tell whether this step took effect${why}`;
          return found({ result: 'unknown', summary, output: probe.evidence, ...probe.execution });
        }
      }
    },
  };
}

/**
 * That nothing was started can be told by the directory alone in which it would have been recorded: to another
 * replica, on another host or with a new directory, a change that runs there looks as if it had never begun.
 */
function believed(probe: Probe, startedIn: Where | null, directory: string): Probe {
  if (probe.kind !== 'not_done' || startedIn?.directory === directory) return probe;
  const where = startedIn === null ? 'by an earlier release' : `by the bot on ${startedIn.host}`;
  return {
    kind: 'unknown',
    evidence: `It was started ${where}, with another state directory than this one, whose records cannot be read here. It may still be running there. What this replica sees: ${probe.evidence}`,
  };
}

async function probed(step: BoundStep<TargetConfig>, context: StepContext<TargetConfig>): Promise<Probe> {
  if (step.probe === undefined) return { kind: 'unknown', evidence: 'this kind of step has no probe' };
  try {
    return await step.probe(context);
  } catch (error) {
    return { kind: 'unknown', evidence: `the probe failed: ${message(error)}` };
  }
}

/** The step's own time limit, on top of what stops it from outside; the first cause wins. */
async function withTimeout(
  bound: BoundStep<TargetConfig>,
  context: StepContext<TargetConfig>,
  timeoutMs: number,
): Promise<Outcome> {
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(timeoutMs)]);
  return bound.run({ ...context, signal });
}

function approvedBy(gate: Gate | undefined): StepContext<TargetConfig>['approval'] {
  return gate === undefined ? null : { gate: gate.id, approvers: gate.approvals.map(({ by }) => by) };
}

/** What a step of this run left: the one of the same block first, for two blocks may use the same name. */
function dataOf(state: OpenedRun, block: BlockRef, step: string) {
  const own = stepProgress(state, block, step);
  if (own.status === 'passed') return own.data;
  const found = Object.entries(state.steps).filter(([key]) => key.endsWith(`/${step}`));
  return found.map(([, progress]) => progress).find((p) => p.status === 'passed')?.data;
}

/** A step that `stop now` ended says so, whatever its own words make of it. */
function endedBy(signal: AbortSignal, outcome: Outcome): Outcome {
  if (!signal.aborted || signal.reason !== 'stopped' || outcome.result === 'passed') return outcome;
  return { ...outcome, summary: `ended by /m10 stop now: ${outcome.summary}` };
}

/** Unique for an attempt, at most 63 bytes as PostgreSQL keeps them. */
export function applicationName(run: number, at: StepAt, digest: Digest): string {
  const whole = `m10bot:${run}:${blockKey(at.block)}:${at.step}:${at.attempt}`;
  return whole.length <= 63 ? whole : `m10bot:${run}:${digest(whole).slice(0, 40)}`;
}

/** The beginning and the end: the cause of a failure usually stands in the last lines. */
function ends(text: string): string {
  if (text.length <= keptOutput) return text;
  const half = keptOutput / 2;
  return `${text.slice(0, half)}\n… ${text.length - keptOutput} characters left out; the whole is in the file …\n${text.slice(-half)}`;
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
