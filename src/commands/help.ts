import type { Reply } from './reply.js';
import { commandNames, usages } from './usages.js';

/** Every command with its use. */
export function help(): Reply {
  return { kind: 'help', usages: commandNames.map((name) => usages[name]) };
}
