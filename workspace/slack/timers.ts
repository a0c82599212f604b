/** Timers that can all be ended together, so that closing the stand-in leaves none behind. */
export interface Timers {
  /** Runs `action` once after `ms` milliseconds. The result cancels it. */
  after(ms: number, action: () => void): () => void;
  /** Runs `action` every `ms` milliseconds. */
  every(ms: number, action: () => void): () => void;
  /** Ends all timers; later calls do nothing. */
  close(): void;
}

export function createTimers(): Timers {
  const running = new Set<NodeJS.Timeout>();
  let closed = false;
  const cancel = (timer: NodeJS.Timeout) => {
    clearTimeout(timer);
    running.delete(timer);
  };
  return {
    after(ms, action) {
      if (closed) return () => {};
      const timer = setTimeout(() => {
        running.delete(timer);
        action();
      }, ms);
      running.add(timer);
      return () => cancel(timer);
    },
    every(ms, action) {
      if (closed) return () => {};
      const timer = setInterval(action, ms);
      running.add(timer);
      return () => cancel(timer);
    },
    close() {
      closed = true;
      for (const timer of running) clearTimeout(timer);
      running.clear();
    },
  };
}
