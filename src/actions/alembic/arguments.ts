import { z } from 'zod';
import { RevisionList } from '../../checks/revision-list.js';
import { Duration } from '../../runbook/definition.js';

export const UpgradeArgs = z.strictObject({
  /** Exactly where the database must be; several for one with several heads. */
  from: RevisionList,
  /** Exactly where it is afterwards. */
  to: RevisionList,
  /** How long one statement waits for a lock, ms. */
  'lock-timeout': Duration.default(5_000),
  /** How long one statement may take, ms; no limit when absent. */
  'statement-timeout': Duration.optional(),
  /** Id of the step of this run that made the backup, or `none`; a runbook that does not say is not accepted. */
  backup: z.string('expected the id of a step, or none').optional(),
});
export type UpgradeArgs = z.infer<typeof UpgradeArgs>;

export const DowngradeArgs = z.strictObject({
  /** Exactly where the database must be; several for one with several heads. */
  from: RevisionList,
  to: RevisionList,
  /** How long one statement waits for a lock, ms; readers queue behind the downgrade meanwhile. */
  'lock-timeout': Duration.default(3_000),
  /** How often it is tried while others hold locks. */
  attempts: z.int('expected a number of attempts').min(1).max(50).default(5),
  /** Pause after the first attempt, ms; doubled after each further one. */
  backoff: Duration.default(2_000),
  /** Id of the step of this run that archived the rows: they are dropped only while they are these. */
  archive: z.string('expected the id of a step').optional(),
});
export type DowngradeArgs = z.infer<typeof DowngradeArgs>;
