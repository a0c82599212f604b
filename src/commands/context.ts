import type { Runbook } from '../runbook/definition.js';
import type { Plan, RunEvent, TargetState, Via } from '../runbook/events.js';
import type { M10Port } from '../runbook/jobs/m10-port.js';
import type { JobsPort } from '../runbook/jobs/port.js';
import type { Member } from '../runbook/people.js';
import type { GateFloor } from '../runbook/policy.js';
import type { OpenedRun } from '../runbook/state.js';
import type { Undelivered } from '../store/held.js';
import type { JobsJournal } from '../store/jobs.js';
import type { Journal } from '../store/journal.js';
import type { Runs } from '../store/runs.js';
import type { Board } from './board.js';

/** What commands need of the rest of the bot. */
export interface CommandDeps {
  /** Id of the incident channel: the only one where commands count. */
  readonly incidentChannel: string;
  readonly operators: readonly string[];
  /** Looks a person up in Slack, now. */
  readonly member: (user: string) => Promise<Member>;
  /** Names of the configured targets. */
  readonly targets: readonly string[];
  readonly runs: Runs;
  readonly journal: Pick<Journal, 'read' | 'verify'>;
  readonly board: Board;
  /** What Slack has not taken; null when that cannot be read now. */
  undelivered(): Promise<Undelivered | null>;
  nextRunNumber(): Promise<number>;
  /** What each configured target asks of gates, by its name. */
  readonly floors: Readonly<Record<string, GateFloor>>;
  /** What of the journal differs from heads noted outside the database, in words; null when nothing does. */
  journalDiffers(): Promise<string | null>;
  /** Reads the runbook file anew, with its digest. */
  loadRunbook(): Promise<{ readonly runbook: Runbook; readonly digest: string }>;
  /** Names of the step kinds that change a target. */
  readonly changing: readonly string[];
  /** What every step of a runbook would do now. */
  planOf(runbook: Runbook): Promise<Plan>;
  /** What the targets look like, read now. */
  targetStates(): Promise<readonly TargetState[]>;
  /** What is known of the periodic jobs now. Its target is null when the configuration has none. */
  readonly jobs: Pick<JobsPort, 'target' | 'overview' | 'log' | 'covers' | 'about'>;
  /** The stream of the jobs' target; null when the configuration has none. */
  readonly jobsJournal: JobsJournal | null;
  /** The M10 objects of the jobs' target; null when the configuration has none. */
  readonly m10: M10Port | null;
  /** An event in words, for the audit. */
  describe(event: RunEvent, run: OpenedRun): string;
}

/** Who asks, and how. */
export interface Caller {
  readonly user: string;
  readonly channel: string;
  readonly via: Via;
  /** The key of the delivery that carries the request; see `ExecuteOptions.delivery`. */
  readonly delivery?: string;
}

export interface CommandContext extends CommandDeps, Caller {
  /** Whether the person is a listed operator; `operatorRefusal` says whether they may act as one now. */
  readonly operator: boolean;
}

/** Joins what is the same for every command with who asks this time. */
export function contextFor(deps: CommandDeps, caller: Caller): CommandContext {
  return { ...deps, ...caller, operator: deps.operators.includes(caller.user) };
}
