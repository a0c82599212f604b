import { join } from 'node:path';
import { z } from 'zod';
import type { World } from '../world.js';
import { measured } from './child.js';

/** What drain.js is told, as JSON. */
export const DrainOptions = z.strictObject({
  url: z.string(),
  batch: z.int(),
  /** Where the events go by HTTP; without it they go to a handler of `bench:` that does nothing. */
  http: z.strictObject({ to: z.string(), concurrency: z.int() }).optional(),
});
export type DrainOptions = z.infer<typeof DrainOptions>;

/** What drain.js answers. */
export const Drained = z.object({
  /** Of the whole run of the job. */
  seconds: z.number(),
  /** Of each tenth of its events, by when they were handled; empty with `http`. */
  tenths: z.array(z.number()),
});
export type Drained = z.infer<typeof Drained>;

/** Lets the outbox-processor drain what is pending, in a process of its own. */
export async function drain(world: World, options: DrainOptions): Promise<Drained> {
  const script = join(world.dist, 'bench', 'jobs', 'drain.js');
  return measured(Drained, process.execPath, [script, JSON.stringify(options)]);
}
