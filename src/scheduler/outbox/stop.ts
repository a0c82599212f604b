/** Ends deliveries that are under way. An AbortSignal would do, but many listeners come and go here each second. */
export interface Stop {
  /** @returns takes the listener back */
  onStop(listener: () => void): () => void;
}

export function createStop(): Stop & { stop(): void } {
  const listeners = new Set<() => void>();
  return {
    onStop(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop() {
      for (const listener of [...listeners]) listener();
    },
  };
}
