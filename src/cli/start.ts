import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.js';
import { createLog } from '../main/log.js';
import { startBot } from '../main.js';
import { createRedactor } from '../redact.js';

/** How long an end waits for a start that has not finished, ms; then what it has begun is left. */
const startGraceMs = 10_000;

type End = { readonly why: string; readonly exitCode: number };

/**
 * Runs the bot until a signal.
 * @param exitNow ends the process on the spot: at a second signal nothing is waited for
 * @returns the exit code
 * @throws what startBot throws
 */
export async function start(config: Config, exitNow: (code: number) => void): Promise<number> {
  const log = createLog(config.logLevel, createRedactor(config.secrets, config.shown).redact);
  let end: End | undefined;
  let told = (_: End): void => {};
  const ended = new Promise<End>((resolve) => {
    told = resolve;
  });
  const finish = (reason: End): void => {
    end ??= reason;
    told(reason);
  };

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (end !== undefined) {
        log.warn({ signal }, 'a second signal: ending at once; what runs goes on by itself');
        exitNow(signal === 'SIGINT' ? 130 : 143);
        return;
      }
      log.info({ signal }, 'ending');
      finish({ why: signal, exitCode: 0 });
    });
  }
  // A child may be at work: something that nobody waited for must not take the bot down with it.
  process.on('unhandledRejection', (error) =>
    log.error({ error }, 'a promise was rejected and nobody listened'),
  );
  // After this nothing in memory can be trusted. The journal can, and the next start goes on from there.
  process.on('uncaughtException', (error) => {
    log.error({ error }, 'an error that nothing caught; ending');
    finish({ why: 'error', exitCode: 1 });
  });

  for (const warning of config.warnings ?? []) log.warn({}, warning);

  const starting = startBot({ config, log });
  const first = await Promise.race([starting, ended]);
  const bot =
    'stop' in first ? first : await Promise.race([starting, sleep(startGraceMs, null, { ref: false })]);
  const { why, exitCode } = await ended;
  await bot?.stop();
  log.info({ why }, 'm10bot has ended');
  return exitCode;
}
