/** What kept a command of Alembic from doing what it was asked. */
export type AlembicTroubleKind =
  /** The database cannot be connected to. */
  | 'unreachable'
  /** The database or the command line names a revision that the project does not have. */
  | 'unknown_revision'
  /** `head` was asked for and there are several. */
  | 'several_heads'
  /** The lock_timeout ended the wait for a lock: trying again is safe. */
  | 'lock_timeout'
  /** A lock was held by another client, and the statement does not wait for it (NOWAIT). */
  | 'lock_nowait'
  /** A lock was not to be had (SQLSTATE 55P03), and whether it was waited for is not known. */
  | 'lock_unavailable'
  /** Another client made the same object or row at the same time, or its change could not be serialized. */
  | 'concurrent'
  /** Alembic's change of its version table did not meet the row that it expected. */
  | 'version_row'
  /** The observer let nothing more happen: what it found was not what was approved. */
  | 'refused'
  /** Something wanted to change the target in a session that only reads. */
  | 'read_only'
  /** Something wanted to change another database than the target, where sessions only read. */
  | 'read_only_elsewhere'
  /** The time was over, it was stopped, or a stranger killed it. Its backend may work on for a while. */
  | 'ended_early'
  | 'not_started'
  | 'failed';
