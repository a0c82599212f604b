import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { World } from '../world.js';

/** Starts a receiver of deliveries in a process of its own, which takes `delayMs` for each answer. */
export async function startReceiver(world: World, delayMs: number): Promise<{ url: string; stop(): void }> {
  const script = join(world.dist, 'bench', 'jobs', 'receiver.js');
  const child = spawn(process.execPath, [script, String(delayMs)], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.pid !== undefined) world.services.watch(child.pid);
  const [line] = await once(child.stdout, 'data');
  return { url: String(line).trim(), stop: () => child.kill('SIGKILL') };
}
