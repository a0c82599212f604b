/**
 * Takes turns: what is asked for under one key runs one after the other, in the order of asking; other keys run beside
 * it. Within this process alone: between processes the version of a stream decides.
 */
export function createTurns(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return (key, work) => {
    const before = last.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    last.set(key, mine);
    const forget = () => {
      // Somebody may have lined up behind meanwhile.
      if (last.get(key) === mine) last.delete(key);
    };
    mine.then(forget, forget);
    return mine;
  };
}
