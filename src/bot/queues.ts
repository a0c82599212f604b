import type { Kinds } from '../store/inbox.js';

/**
 * What a delivery waits among. Each queue has its own room in a process, so that nothing of another one, however much
 * arrives, takes a stop's place.
 */
export type Queue = 'stop' | 'stop-sign' | 'reaction' | 'order';

interface Room {
  /** How many are handled at once. All together leave connections of the state database to the runner and publisher. */
  readonly slots: number;
  /** The inbox's kinds of items that belong to it. */
  readonly kinds: Kinds;
}

export const QUEUES: Readonly<Record<Queue, Room>> = {
  stop: { slots: 16, kinds: { only: ['stop'] } },
  // An emoji costs a look for its request first, and anyone can give many: they wait among themselves.
  'stop-sign': { slots: 2, kinds: { only: ['stop-sign'] } },
  reaction: { slots: 6, kinds: { only: ['reaction'] } },
  // Whatever else lies there, that of an earlier release too.
  order: { slots: 6, kinds: { without: ['stop', 'stop-sign', 'reaction'] } },
};
