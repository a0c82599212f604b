import { type Logger, LogLevel } from '@slack/bolt';

/** What the bot logs with; a pino logger is one. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * The logger that Bolt and its clients get. Their debug lines carry whole payloads and tokens, and their info
 * lines come with every request, so both are dropped; warnings and errors pass.
 */
export function boltLogger(log: Log): Logger {
  const join = (parts: unknown[]) =>
    parts.map((part) => (part instanceof Error ? part.message : String(part))).join(' ');
  return {
    debug() {},
    info() {},
    warn: (...parts) => log.warn({ from: 'slack' }, join(parts)),
    error: (...parts) => log.error({ from: 'slack' }, join(parts)),
    setLevel() {},
    getLevel: () => LogLevel.WARN,
    setName() {},
  };
}

/** An error's message, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
