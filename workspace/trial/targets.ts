import { execa } from 'execa';
import { layoutBackend } from '../backend/layout.js';
import { type BackendVariant, revisions } from '../backend/variants.js';
import { createDatabase } from '../services/databases.js';

export interface Server {
  /** Superuser URL of the PostgreSQL server. */
  readonly adminUrl: string;
}

/**
 * Lays out the sample backend and makes one database for each name, at the revision before the hardening.
 * The first is migrated by Alembic and the others are copies of it, which saves a second each.
 * @returns the URL of each database, in order, and the backend's folder
 */
export async function prepareTargets(options: {
  readonly server: Server;
  readonly names: readonly string[];
  readonly directory: string;
  readonly path: string;
  readonly variant?: BackendVariant;
  readonly sleepSeconds?: number;
  /** A database at the wanted revision already, to copy instead. */
  readonly template?: string;
}): Promise<{ urls: string[]; backend: string }> {
  const { server, names, directory, variant = 'good', sleepSeconds } = options;
  const { directory: backend } = await layoutBackend({
    directory,
    variant,
    ...(sleepSeconds === undefined ? {} : { sleepSeconds }),
  });
  const urls: string[] = [];
  let template = options.template;
  for (const name of names) {
    const url = await createDatabase(server.adminUrl, name, template === undefined ? {} : { template });
    if (template === undefined) await upgrade({ url, backend, path: options.path, to: revisions.before });
    template ??= name;
    urls.push(url);
  }
  return { urls, backend };
}

/** Runs Alembic by hand, as somebody behind the bot's back would. */
export async function upgrade(options: {
  readonly url: string;
  readonly backend: string;
  readonly path: string;
  readonly to: string;
}): Promise<void> {
  await execa('alembic', ['upgrade', options.to], {
    cwd: options.backend,
    extendEnv: false,
    env: { PATH: options.path, PYTHONPATH: '.', DATABASE_URL: options.url },
  });
}
