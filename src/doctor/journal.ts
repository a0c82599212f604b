import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { z } from 'zod';
import { openStateForReading } from '../cli/state.js';
import type { Config } from '../config.js';
import { headsPath } from '../main/state.js';
import { clusterFolder } from '../store/embeddedCluster.js';
import { compareHeads, inWords } from '../store/heads.js';
import { createHeadsFile } from '../store/heads-file.js';
import { readPostmaster } from '../store/postmaster.js';
import type { DatabaseLook } from './database-facts.js';
import { attention, type Check, type Finding, fine, problem } from './finding.js';

const what = 'journal';

/** Whether the journal is the one whose heads were noted, and whether the bot's own role could rewrite it. */
export function journalCheck(config: Pick<Config, 'state'>, look: () => Promise<DatabaseLook | null>): Check {
  return {
    what,
    async run() {
      // A database that cannot be reached is told by its own check.
      if ((await look())?.kind === 'failed') return [];
      // An embedded server is not started for this: a bot that starts it compares by itself.
      if (config.state.databaseUrl === null && !(await embeddedRuns(config))) return [];
      const state = await openStateForReading(config);
      if (state.kind === 'nothing') return [];
      try {
        return await findingsOf(state.pool, config);
      } finally {
        await state.close();
      }
    },
  };
}

async function embeddedRuns({ state }: Pick<Config, 'state'>): Promise<boolean> {
  const cluster = clusterFolder(join(state.directory, 'postgres'));
  if ((await stat(cluster).catch(() => null)) === null) return false;
  return (await readPostmaster(cluster)) !== undefined;
}

async function findingsOf(pool: pg.Pool, config: Pick<Config, 'state'>): Promise<Finding[]> {
  const { heads } = await createHeadsFile(headsPath(config)).read();
  const differs = inWords((await compareHeads(pool, heads))[0] ?? null);
  const compared =
    differs === null
      ? fine(what, `every head noted in heads.jsonl is part of it (${heads.length})`)
      : problem(
          what,
          `was changed: ${differs}`,
          'find out who can write to the state database; once people have looked: m10bot audit accept REASON',
        );
  // With its own server the bot cannot have another role.
  return config.state.databaseUrl === null ? [compared] : [compared, ...(await roleFindings(pool))];
}

const Role = z.object({ name: z.string(), owns: z.boolean(), writes: z.boolean() });

/** A role that owns the journal may drop the triggers that keep it append-only. */
async function roleFindings(pool: pg.Pool): Promise<Finding[]> {
  const { rows } = await pool.query(
    `SELECT current_user AS name, pg_has_role(current_user, relowner, 'MEMBER') AS owns,
            has_table_privilege(oid, 'INSERT') AS writes
       FROM pg_class WHERE oid = 'm10bot.events'::regclass`,
  );
  return z
    .array(Role)
    .parse(rows)
    .map(({ name, owns, writes }) => {
      const todo = 'give the tables to another role: deploy/state-role.sql';
      if (owns) return attention(what, `${name} owns it and could rewrite it`, todo);
      if (writes) return attention(what, `${name} may write events past m10bot.append`, todo);
      return fine(what, `${name} may read it and append to it, and nothing else`);
    });
}
