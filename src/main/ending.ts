/** Ends the parts of the bot in the right order, each once. */
export interface Ending {
  /** A part that takes on work: all of these are told to take on no more before any of them is waited for. */
  works(stop: () => Promise<void>): void;
  /** What the working parts stand on, given back afterwards in the reverse order. */
  holds(release: () => Promise<void> | void): void;
  /** Never throws: a part that does not end properly is logged, and the others end all the same. */
  end(): Promise<void>;
}

/**
 * Side by side, under one deadline of their own: parts that were waited for one after the other began new changes
 * meanwhile, and took longer together than a supervisor waits.
 */
export function createEnding(log: { error(fields: object, message: string): void }): Ending {
  const working: (() => Promise<void>)[] = [];
  const held: (() => Promise<void> | void)[] = [];

  async function safely(part: () => Promise<void> | void): Promise<void> {
    try {
      await part();
    } catch (error) {
      log.error({ error }, 'a part could not be ended properly');
    }
  }

  return {
    works: (stop) => void working.push(stop),
    holds: (release) => void held.push(release),
    async end() {
      await Promise.all(working.splice(0).map(safely));
      for (const release of held.splice(0).reverse()) await safely(release);
    },
  };
}
