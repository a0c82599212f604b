import type { Ending, Stop } from './report.js';

/**
 * Runs a job's work to its end, or as long as it may. The first reason to stop wins and aborts the signal; what
 * does not stop then has its statement cancelled, and is given up in the end, so that a job that hangs blocks
 * neither the next one nor a shutdown.
 */
export async function runToItsEnd(deps: {
  /** Aborted when the job's lock is lost; null when the bot holds none for it. */
  readonly lost: AbortSignal | null;
  /** Aborted when somebody wants the end; the reason is a sentence. */
  readonly told: AbortSignal;
  readonly timeoutMs: number;
  readonly grace: { readonly cancelMs: number; readonly giveUpMs: number };
  readonly work: (signal: AbortSignal) => Promise<Ending>;
  /** Cancels the statement that the job waits for. */
  readonly cancel: () => Promise<void>;
}): Promise<{ readonly ending: Ending; readonly stop: Stop | null }> {
  const { lost, told, timeoutMs, grace } = deps;
  const ending = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  let stop: Stop | null = null;
  let giveUp: (hung: Ending) => void = () => undefined;
  const hung = new Promise<Ending>((resolve) => {
    giveUp = resolve;
  });

  function end(because: Stop): void {
    if (stop !== null) return;
    stop = because;
    ending.abort(because.kind === 'timeout' ? 'its time is up' : because.why);
    timers.push(
      setTimeout(() => void deps.cancel().catch(() => undefined), grace.cancelMs),
      setTimeout(() => giveUp({ kind: 'hung' }), grace.giveUpMs),
    );
  }

  const onLost = () => end({ kind: 'lost', why: String(lost?.reason) });
  const onTold = () => end({ kind: 'told', why: String(told.reason) });
  lost?.addEventListener('abort', onLost);
  told.addEventListener('abort', onTold);
  timers.push(setTimeout(() => end({ kind: 'timeout', ms: timeoutMs }), timeoutMs));
  if (lost?.aborted === true) onLost();
  if (told.aborted) onTold();
  try {
    return { ending: await Promise.race([deps.work(ending.signal), hung]), stop };
  } finally {
    for (const timer of timers) clearTimeout(timer);
    lost?.removeEventListener('abort', onLost);
    told.removeEventListener('abort', onTold);
  }
}
