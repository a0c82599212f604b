/** The revisions of the sample backend, oldest first. `beyond` is past the one that the runbook applies. */
export const revisions = {
  first: '019_m10_recovery_candidates',
  matview: '020_m10_matview_tracking',
  before: '021_m10_durable_queue_fallback',
  hardening: '022_m10_production_hardening',
  beyond: '023_m10_candidate_notes',
  /** Only in the variant `two-heads`: a second child of `hardening`. */
  secondHead: '023_m10_lock_audit',
} as const;

/** What each variant of the project does differently from `good`. */
export const variants = {
  good: 'applies and works',
  'publish-outbox-fails': '022 applies, but publish_outbox fails at every call',
  'fails-half-way': '022 fails with an SQL error after creating two tables; the transaction takes them back',
  'blocks-on-lock': '022 waits for an ACCESS EXCLUSIVE lock on work_queue, which any open reader holds up',
  slow: '022 sleeps M10_BACKEND_SLEEP seconds (30 unless told) inside its transaction, after creating its tables',
  'wrong-shaped-table':
    '021 leaves a distributed_locks without primary key; 022 accepts it and acquire_lock fails',
  'two-heads': 'two children of 022, so that `upgrade head` is refused and 022 is a branch point',
  'autocommit-block': '022 leaves its transaction to create an index concurrently, then works',
  'autocommit-block-fails': '022 fails after leaving its transaction: tables of 022 at revision 021',
  'unseen-by-offline-sql':
    '022 also changes and deletes rows where it runs for real, which no printed SQL shows',
  'dangerous-sql': '022 also adds NOT NULL columns, changes a type and indexes a live table',
} as const;

/** The name of a variant. */
export type BackendVariant = keyof typeof variants;
