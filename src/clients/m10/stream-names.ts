/** Where the M10 streams lie in the target's Redis; the names that the backend's own workers use. */
export const streamNames = {
  /** Messages to evaluate; producers cut it at 100,000. */
  main: 'm10:evaluate:stream',
  group: 'm10:evaluate:group',
  deadLetters: 'm10:evaluate:dead-letter',
  /** Hash: how often a message was reclaimed, by its id. */
  reclaimAttempts: 'm10:reclaim:attempts',
  /** Set of messages that were replayed within the last 24 hours. */
  replayProcessed: 'm10:replay:processed',
} as const;

/** Entries that stay in the dead-letter stream. */
export const deadLetterCap = 10_000;

/** The key that proves that a message was put back, with the new message's id as its value. */
export function replayMarker(original: string): string {
  return `m10:replay:added:${original}`;
}

/** Fields that a message which was put back carries besides its own. */
export const replayFields = { of: 'replay_of', key: 'replay_key' } as const;

const largest = 2n ** 64n - 1n;

/** Whether it is a whole id of a stream entry, such as `1765000000000-0`. Redis refuses a command with any other. */
export function isMessageId(text: string): boolean {
  const parts = /^(\d{1,20})-(\d{1,20})$/.exec(text);
  return parts !== null && BigInt(parts[1] ?? '') <= largest && BigInt(parts[2] ?? '') <= largest;
}
