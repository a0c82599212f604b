/**
 * What a finding of squawk threatens, the worst first. `unrated` is a rule that this list does not know: newer
 * than it, and to be looked at by a person.
 */
export const RANKS = ['data_loss', 'invalid', 'blocking_lock', 'breaking', 'unrated', 'advice'] as const;
export type Rank = (typeof RANKS)[number];

/** https://squawkhq.com/docs/rules, version 2.66. */
const RULES: Readonly<Record<Exclude<Rank, 'unrated'>, readonly string[]>> = {
  data_loss: ['ban-drop-column', 'ban-drop-database', 'ban-drop-table', 'ban-truncate-cascade'],
  // PostgreSQL will refuse it, or end the transaction where the script does not expect it.
  invalid: [
    'ban-concurrent-index-creation-in-transaction',
    'ban-duplicate-column-assignments',
    'ban-uncommitted-transaction',
    'syntax-error',
    'transaction-nesting',
  ],
  // It holds a lock that stops writers, or all, for as long as the table is big.
  blocking_lock: [
    'adding-field-with-default',
    'adding-foreign-key-constraint',
    'adding-not-nullable-field',
    'adding-serial-primary-key-field',
    'ban-alter-domain-with-add-constraint',
    'ban-create-domain-with-constraint',
    'changing-column-type',
    'constraint-missing-not-valid',
    'disallowed-unique-constraint',
    'prefer-repack',
    'require-concurrent-index-creation',
    'require-concurrent-index-deletion',
    'require-concurrent-partition-detach',
    'require-concurrent-reindex',
  ],
  // Clients of the version before stop working.
  breaking: ['adding-required-field', 'ban-drop-not-null', 'renaming-column', 'renaming-table'],
  advice: [
    'ban-char-field',
    'identifier-too-long',
    'prefer-bigint-over-int',
    'prefer-bigint-over-smallint',
    'prefer-identity',
    'prefer-robust-stmts',
    'prefer-text-field',
    'prefer-timestamp-tz',
    'require-enum-value-ordering',
    'require-lock-timeout',
    'require-statement-timeout',
    'require-table-schema',
    'require-timeout-settings',
    'unused-ignore',
  ],
};

/** The rank of a rule by its name. */
export function rankRule(rule: string): Rank {
  return RANKS.find((rank) => rank !== 'unrated' && RULES[rank].includes(rule)) ?? 'unrated';
}

/** Orders findings by rank, the worst first, and otherwise as they were. */
export function byRank<T extends { readonly rule: string }>(findings: readonly T[]): T[] {
  return findings.toSorted((a, b) => RANKS.indexOf(rankRule(a.rule)) - RANKS.indexOf(rankRule(b.rule)));
}
