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
  /** Another client moved the revision at the same time. */
  | 'concurrent'
  /** The observer let nothing more happen: what it found was not what was approved. */
  | 'refused'
  /** Something wanted to change a database in a session that only reads. */
  | 'read_only'
  /** The time was over, it was stopped, or a stranger killed it. Its backend may work on for a while. */
  | 'ended_early'
  | 'not_started'
  | 'failed';
