import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createDatabase, dropDatabase } from '../../workspace/services/databases.js';
import type { World } from '../world.js';
import { measured, Seconds } from './child.js';

/** Programs of bench/peers, each of which fills and drains the queue of its own package. */
export const peerNames = ['graphile-worker', 'pg-boss'] as const;
export type PeerName = (typeof peerNames)[number];

export interface Peers {
  /** Events a second that a peer drains, in a fresh database of its own. */
  drain(peer: PeerName, count: number, batch: number): Promise<number>;
}

/** Installs the peers at the first call, with the newer Node that they need. @throws Error with npm's output */
export async function preparePeers(world: World): Promise<Peers> {
  const folder = join(world.root, 'bench', 'peers');
  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'install.mjs')]);
  const node = stdout.trim();
  return {
    async drain(peer, count, batch) {
      const { adminUrl } = world.services.postgres;
      const name = world.name();
      const url = await createDatabase(adminUrl, name);
      try {
        const args = [join(folder, `${peer}.mjs`), url, String(count), String(batch)];
        return count / (await measured(Seconds, node, args)).seconds;
      } finally {
        await dropDatabase(adminUrl, name);
      }
    },
  };
}
