import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** An Alembic project as another team could have it. */
export interface ProjectSpec {
  /** Statements of upgrade(), by revision; each builds on the one before it unless `down` says otherwise. */
  readonly versions: Readonly<Record<string, Version>>;
  readonly env?: string;
  readonly ini?: string | null;
  readonly files?: Readonly<Record<string, string>>;
  /** Where the scripts are, from the project's folder; `migrations` when not given. */
  readonly location?: string;
}

export type Version =
  | readonly string[]
  | {
      readonly up: readonly string[];
      readonly down?: readonly string[];
      /** Python for `down_revision`. */
      readonly after?: string;
      readonly head?: readonly string[];
    };

export const plainEnv = `import os
from alembic import context
from sqlalchemy import create_engine, pool

url = os.environ["DATABASE_URL"]
if context.is_offline_mode():
    context.configure(url=url, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
`;

/** Lays a project out in a folder. */
export async function layoutProject(directory: string, spec: ProjectSpec): Promise<string> {
  const location = spec.location ?? 'migrations';
  const write = async (path: string, text: string) => {
    const file = join(directory, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  };
  const ini = spec.ini === undefined ? `[alembic]\nscript_location = ${location}\n` : spec.ini;
  if (ini !== null) await write('alembic.ini', ini);
  await write(join(location, 'env.py'), spec.env ?? plainEnv);
  await mkdir(join(directory, location, 'versions'), { recursive: true });
  let before: string | null = null;
  for (const [revision, version] of Object.entries(spec.versions)) {
    const file = join(location, 'versions', `${revision}.py`);
    await write(file, scriptOf(revision, before, version));
    before = revision;
  }
  for (const [path, text] of Object.entries(spec.files ?? {})) await write(path, text);
  return directory;
}

/** The text of a revision's script. */
export function scriptOf(revision: string, before: string | null, version: Version): string {
  const given = 'up' in version ? version : { up: version };
  const body = (lines: readonly string[]) =>
    (lines.length === 0 ? ['pass'] : lines).map((line) => `    ${line}`).join('\n');
  return [
    'from alembic import op, context',
    'import sqlalchemy as sa',
    `revision = "${revision}"`,
    `down_revision = ${given.after ?? (before === null ? 'None' : `"${before}"`)}`,
    ...(given.head ?? []),
    'def upgrade():',
    body(given.up),
    'def downgrade():',
    body(given.down ?? []),
    '',
  ].join('\n');
}
