import type { Processes } from '../clients/process.js';
import type { Config } from '../config.js';
import type { JobsPort } from '../runbook/jobs/port.js';
import type { People } from '../runbook/people.js';
import type { Revisions } from './revisions.js';

/** What checks and actions need from outside; a step gets everything else from its context. */
export interface StepDeps {
  readonly processes: Processes;
  readonly people: People;
  readonly revisions: Revisions;
  readonly config: Pick<Config, 'backups' | 'windows' | 'targets' | 'jobs'>;
  readonly jobs: JobsPort;
  /** ms since the epoch */
  readonly now: () => number;
  /** Folder for files that a command writes beside its output, such as a test report. */
  readonly workDirectory: string;
}
