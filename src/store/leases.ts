import type pg from 'pg';

/** The caller owns the lease until it expires by the database's clock. */
export interface Granted {
  readonly kind: 'granted';
  /** Grows with every change of owner: what a fence must show. */
  readonly epoch: number;
  readonly expiresAt: Date;
}

/** Somebody else owns the lease. */
export interface Refused {
  readonly kind: 'refused';
  readonly heldBy: string;
  readonly until: Date;
}

export interface HeldLease {
  readonly name: string;
  readonly owner: string;
  readonly epoch: number;
  readonly acquiredAt: Date;
  readonly expiresAt: Date;
}

export interface Leases {
  /**
   * Takes a free or expired lease for `ttlMs`. The owner that still holds it gets it extended at the same
   * epoch, so an owner's name must be unique to one life of one process; after an expiry it gets a new epoch.
   */
  acquire(name: string, owner: string, ttlMs: number): Promise<Granted | Refused>;
  /** Extends an unexpired lease to `ttlMs` from now; false when it is no longer held at this epoch. */
  renew(name: string, owner: string, epoch: number, ttlMs: number): Promise<boolean>;
  /** Ends the lease now, if it is still the caller's; false when it is not. */
  release(name: string, owner: string, epoch: number): Promise<boolean>;
  /** Leases that are held now, by name. */
  list(): Promise<HeldLease[]>;
}

/**
 * Leases by the database's clock. `now()` is the start of the statement: if it then waits for a row lock, the
 * time it works with is early, so it may refuse or expire too soon and never the other way round.
 */
export function createLeases(pool: pg.Pool): Leases {
  return {
    async acquire(name, owner, ttlMs) {
      const { rows } = await pool.query<{ owner: string; epoch: string; expires_at: Date }>(
        `INSERT INTO m10bot.leases AS lease (name, owner, epoch, acquired_at, expires_at)
           VALUES ($1, $2, 1, now(), now() + $3 * interval '1 ms')
         ON CONFLICT (name) DO UPDATE SET
           owner = CASE WHEN lease.expires_at <= now() THEN excluded.owner ELSE lease.owner END,
           epoch = CASE WHEN lease.expires_at <= now() THEN lease.epoch + 1 ELSE lease.epoch END,
           acquired_at = CASE WHEN lease.expires_at <= now() THEN now() ELSE lease.acquired_at END,
           expires_at = CASE WHEN lease.expires_at <= now() OR lease.owner = excluded.owner
             THEN excluded.expires_at ELSE lease.expires_at END
         RETURNING owner, epoch, expires_at`,
        [name, owner, ttlMs],
      );
      const row = rows[0];
      if (row === undefined) throw new Error(`the database gave no answer about lease ${name}`);
      return row.owner === owner
        ? { kind: 'granted', epoch: Number(row.epoch), expiresAt: row.expires_at }
        : { kind: 'refused', heldBy: row.owner, until: row.expires_at };
    },

    async renew(name, owner, epoch, ttlMs) {
      const { rowCount } = await pool.query(
        `UPDATE m10bot.leases SET expires_at = now() + $4 * interval '1 ms'
          WHERE name = $1 AND owner = $2 AND epoch = $3 AND expires_at > now()`,
        [name, owner, epoch, ttlMs],
      );
      return rowCount === 1;
    },

    async release(name, owner, epoch) {
      const { rowCount } = await pool.query(
        `UPDATE m10bot.leases SET expires_at = now()
          WHERE name = $1 AND owner = $2 AND epoch = $3 AND expires_at > now()`,
        [name, owner, epoch],
      );
      return rowCount === 1;
    },

    async list() {
      const { rows } = await pool.query<{
        name: string;
        owner: string;
        epoch: string;
        acquired_at: Date;
        expires_at: Date;
      }>(
        `SELECT name, owner, epoch, acquired_at, expires_at FROM m10bot.leases
          WHERE expires_at > now() ORDER BY name`,
      );
      return rows.map(({ name, owner, epoch, acquired_at, expires_at }) => ({
        name,
        owner,
        epoch: Number(epoch),
        acquiredAt: acquired_at,
        expiresAt: expires_at,
      }));
    },
  };
}

/**
 * Forgets leases of things that are over, such as closed runs: those whose name matches, that nobody has held for this
 * long. A name that is used again begins at epoch 1, which no fence of an owner that long gone can show: owners are
 * unique to a life of a process.
 * @param finished names, as PostgreSQL patterns for LIKE
 * @param kept names that stay in any case
 * @returns how many
 */
export async function pruneLeases(
  pool: Pick<pg.Pool, 'query'>,
  finished: readonly string[],
  kept: readonly string[],
  olderThanMs: number,
): Promise<number> {
  const { rowCount } = await pool.query(
    `DELETE FROM m10bot.leases
      WHERE name LIKE ANY ($1::text[]) AND name <> ALL ($2::text[])
        AND expires_at < now() - $3 * interval '1 ms'`,
    [finished, kept, olderThanMs],
  );
  return rowCount ?? 0;
}
