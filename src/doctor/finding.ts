/** What one look found out, for one line of the doctor's report. */
export interface Finding {
  readonly mark: 'fine' | 'attention' | 'problem';
  /** What was looked at, such as `database of production`. */
  readonly what: string;
  readonly facts: string;
  /** What can be done about it; every problem has it. */
  readonly todo?: string;
}

/** One thing to look at. Checks run all at once, so none may wait for another by its place in the list. */
export interface Check {
  readonly what: string;
  run(): Promise<readonly Finding[]>;
}

export const fine = (what: string, facts: string): Finding => ({ mark: 'fine', what, facts });

/** The bot would start and work, but somebody should know. Also for what could not be looked at. */
export const attention = (what: string, facts: string, todo?: string): Finding =>
  todo === undefined ? { mark: 'attention', what, facts } : { mark: 'attention', what, facts, todo };

/** The bot would not start, or a run would stop because of it. */
export const problem = (what: string, facts: string, todo: string): Finding => ({
  mark: 'problem',
  what,
  facts,
  todo,
});

/** Runs a look-up once, however many checks need its result. */
export function once<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= work();
    return running;
  };
}
