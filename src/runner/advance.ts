import type { Command, CommandOf, ConfirmFacts, NotAsked, SpendFacts } from '../runbook/command.js';
import { blockKey } from '../runbook/definition.js';
import type { Where } from '../runbook/events.js';
import { next } from '../runbook/next.js';
import { approvalOf, type OpenedRun } from '../runbook/state.js';
import type { Fence } from '../store/journal.js';
import type { Executed, Runs } from '../store/runs.js';
import type { Assessor } from './assess.js';
import type { Gates } from './gates.js';
import type { Log } from './ports.js';
import type { StepAt, Steps } from './steps.js';

/** Why a run is left alone, and when to look again even if nobody calls. */
export type Rest =
  /** `afterMs`: when time alone changes something. A stretch, since moments are by the database's clock. */
  | { readonly kind: 'waits'; readonly afterMs: number | null }
  | { readonly kind: 'closed' }
  /** Something outside could not be asked; look again soon. */
  | { readonly kind: 'again'; readonly afterMs: number };

export interface Advance {
  /**
   * Takes one run as far as it goes without people: prepares and spends gates, runs steps, recovers what a
   * crash left, assesses failures, closes the run.
   * @param fence the lease under which every append is made
   * @param stopping true once no new step may begin because the bot shuts down
   * @throws LeaseLost when another replica took over
   */
  run(run: number, fence: Fence, signal: RunSignal, stopping: () => boolean): Promise<Rest>;
}

/** What ends a running step, or takes it away. */
export interface RunSignal {
  /** The lease is lost; the reason is a LeaseLost. Nothing may be written or started any more, and nothing ended. */
  readonly lost: AbortSignal;
  /** Resolves whenever the run's stream has grown. */
  watch(onGrown: () => void): () => void;
}

/** Rejects with the signal's reason. */
function fenced(lost: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const tell = () => reject(lost.reason);
    if (lost.aborted) tell();
    else lost.addEventListener('abort', tell, { once: true });
  });
}

/** How soon Slack, or a target, is asked again that gave no answer, ms. */
const retrySlackMs = 2_000;
const probeAgainMs = 500;

function askAgain(asked: readonly NotAsked[]): Rest {
  return { kind: 'again', afterMs: Math.max(retrySlackMs, ...asked.map((a) => a.retryAfterMs)) };
}

/** What has no answer among what was asked before a gate is spent or a change begins. */
function unanswered({ verdicts, ...facts }: SpendFacts | ConfirmFacts): NotAsked[] {
  const asked = 'signs' in facts ? [facts.signs] : [facts.reactions, facts.fingerprint];
  return [...asked, ...Object.values(verdicts)].filter((fact) => fact.kind === 'not_asked');
}

/** Something gave no answer: the request stays approved, and nothing is spent or started. */
function lacksAnswer(done: Executed): boolean {
  if (done.kind === 'refused') return done.code === 'slack_unreachable';
  return done.events.some((event) => event.type === 'LookupFailed');
}

export function createAdvance(deps: {
  readonly runs: Runs;
  readonly gates: Gates;
  readonly steps: Steps;
  readonly assessor: Assessor;
  /** Where the records of what this replica starts are kept. */
  readonly where: Where;
  /** The clock that decides whether a request has expired, the same for all replicas; ms since the epoch. */
  readonly now: () => number | Promise<number>;
  readonly log: Log;
}): Advance {
  const { runs, gates, steps, assessor, now, log } = deps;

  /** Ends of steps that the journal may not have, by run: the database went away, the step did not. */
  const unwritten = new Map<number, CommandOf<'FinishStep'>>();

  async function write(run: number, end: CommandOf<'FinishStep'>, fence: Fence): Promise<Executed> {
    unwritten.set(run, end);
    const done = await runs.execute(run, end, { fence });
    unwritten.delete(run);
    return done;
  }

  function unwrittenEnd(run: number, at: StepAt): CommandOf<'FinishStep'> | undefined {
    const end = unwritten.get(run);
    const same =
      end?.step === at.step && end.attempt === at.attempt && blockKey(end.block) === blockKey(at.block);
    return same ? end : undefined;
  }

  /**
   * Runs one step; `stop now` ends it, a plain stop lets it finish. Whoever loses the lease waits for nothing more:
   * what the step says later is not written, and what it has started is the next holder's to find.
   */
  async function runStep(state: OpenedRun, at: StepAt, fence: Fence, signal: RunSignal): Promise<Executed> {
    const ended = new AbortController();
    const look = () => {
      void runs.load(state.run).then(
        ({ state: now_ }) => {
          if (now_.kind === 'run' && now_.stopped?.now === true) ended.abort('stopped');
        },
        (error: unknown) => log.warn({ error }, 'could not read the run while a step is running'),
      );
    };
    const unwatch = signal.watch(look);
    // A stop may have come between the start of the step and the watch.
    look();
    try {
      const running = steps.run(state, at, AbortSignal.any([ended.signal, signal.lost]));
      const finished = await Promise.race([running, fenced(signal.lost)]);
      return await write(state.run, finished, fence);
    } finally {
      unwatch();
    }
  }

  return {
    async run(run, fence, signal, stopping) {
      const execute = (command: Command) => runs.execute(run, command, { fence });
      let staleAt = -1;
      /** Approvals that Slack has shown under this lease: after a restart or a takeover it is asked anew. */
      const confirmed = new Set<number | null>();
      for (;;) {
        const { state, version } = await runs.load(run);
        const at = await now();
        const wanted = next(state, at);
        if (state.kind === 'none' || wanted.kind === 'idle') return { kind: 'closed' };
        let done: Executed;
        switch (wanted.kind) {
          case 'prepare_gate': {
            const prepared = await gates.prepare(state, wanted.gate);
            if ('kind' in prepared) return askAgain([prepared]);
            done = await execute(prepared);
            break;
          }
          case 'expire_gate':
            done = await execute({ type: 'ExpireGate', gate: wanted.gate.id });
            break;
          case 'spend_gate': {
            if (stopping()) return { kind: 'waits', afterMs: null };
            const spend = await gates.spend(state, wanted.gate);
            done = await execute(spend);
            if (lacksAnswer(done)) return askAgain(unanswered(spend.facts));
            break;
          }
          case 'start_block':
            done = await execute({ type: 'StartBlock', block: wanted.block });
            break;
          case 'run_step': {
            if (stopping()) return { kind: 'waits', afterMs: null };
            const { block, step, attempt } = wanted;
            const under = approvalOf(state, block)?.id ?? null;
            const question = confirmed.has(under) ? null : await gates.confirm(state, wanted);
            if (question !== null) {
              done = await execute(question);
              if (lacksAnswer(done)) return askAgain(unanswered(question.facts));
              if (done.kind === 'accepted' && done.version === version) confirmed.add(under);
              break;
            }
            done = await execute({ type: 'StartStep', block, step, attempt, where: deps.where });
            if (done.kind === 'accepted' && done.state.kind === 'run') {
              done = await runStep(done.state, { block, step, attempt }, fence, signal);
            }
            break;
          }
          case 'running': {
            // Only the holder of the lease comes here, and it runs nothing: the step's runner has died, or it
            // ended the step while the database could not be reached.
            const known = unwrittenEnd(run, wanted);
            if (known !== undefined) {
              done = await write(run, known, fence);
              break;
            }
            const found = await steps.recover(state, wanted, signal.lost);
            if (found === null) return { kind: 'again', afterMs: probeAgainMs };
            done = await execute(found);
            break;
          }
          case 'assess':
            done = await execute(await assessor.assess(state, wanted));
            break;
          case 'finish_run':
            done = await execute({ type: 'FinishRun', targets: await assessor.targets(state) });
            break;
          case 'wait_approval':
            return { kind: 'waits', afterMs: Math.max(0, wanted.until - at) };
          case 'ask_human':
          case 'stopped':
          case 'untrusted':
          case 'await_next':
            return { kind: 'waits', afterMs: null };
        }
        // Stale: somebody changed the run in between, so look at what it wants now. Twice at the same version
        // would be a bug, which must not spin.
        const spinning = done.kind === 'refused' && staleAt === version;
        if (done.kind === 'refused') staleAt = version;
        if (done.kind === 'refused' && (done.code !== 'stale' || spinning)) {
          log.warn({ run, code: done.code, why: done.why, wanted: wanted.kind }, 'the run refused to go on');
          return { kind: 'again', afterMs: retrySlackMs };
        }
      }
    },
  };
}
