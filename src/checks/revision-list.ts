import { z } from 'zod';

const words = 'expected the whole name of a revision, or a list of them for a database with several heads';
const Revision = z.string(words).regex(/^\w[\w.]*$/, `${words}; no relative step such as -1`);

/** One revision, or each head of a database with several: https://alembic.sqlalchemy.org/en/latest/branches.html */
export const RevisionList = z
  .union([Revision, z.array(Revision, words).min(1, words)], words)
  .transform((given): readonly string[] => (typeof given === 'string' ? [given] : [...given].sort()));
