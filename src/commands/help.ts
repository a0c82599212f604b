import type { Reply } from './reply.js';
import { usages } from './usages.js';

/** Every command with its use. */
export function help(): Reply {
  return { kind: 'help', usages: Object.values(usages) };
}
