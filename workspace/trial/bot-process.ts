import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface BotProcess {
  readonly pid: number;
  /** Sends a signal and waits until the process is gone. */
  end(signal: NodeJS.Signals): Promise<void>;
  readonly exited: Promise<number | null>;
  log(): Promise<string>;
}

/** How long the bot may take to say that it is ready, ms. */
const readyDeadlineMs = 20_000;

/**
 * Starts the bot as users do, through its compiled entry point, and waits until it says that it is ready.
 * @throws Error with the end of its log when it ends or stays silent
 */
export async function startBotProcess(options: {
  /** What Node runs: the compiled entry point and its arguments. */
  readonly argv: readonly string[];
  readonly cwd: string;
  /** The bot's whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly logPath: string;
  /** Told the pid, so that nothing outlives its parent. */
  readonly watch: (pid: number) => void;
}): Promise<BotProcess> {
  const out = openSync(options.logPath, 'a', 0o600);
  const from = (await readFile(options.logPath, 'utf8')).length;
  const child = spawn(process.execPath, options.argv, {
    cwd: options.cwd,
    env: { ...options.env },
    stdio: ['ignore', out, out],
  });
  closeSync(out);
  if (child.pid === undefined) throw new Error('The bot could not be started.');
  options.watch(child.pid);
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const log = async () => (await readFile(options.logPath, 'utf8')).slice(from);
  await ready(child, log);
  return {
    pid: child.pid,
    exited,
    log,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await exited;
    },
  };
}

async function ready(child: ChildProcess, log: () => Promise<string>): Promise<void> {
  const deadline = Date.now() + readyDeadlineMs;
  for (;;) {
    const text = await log();
    if (text.includes('"m10bot is ready"')) return;
    const ended = child.exitCode !== null || child.signalCode !== null;
    if (ended || Date.now() > deadline) {
      throw new Error(
        `The bot ${ended ? 'ended' : 'was not ready in time'}; its log ends with:\n${text.slice(-3_000)}`,
      );
    }
    await sleep(20);
  }
}
