import pino, { type Logger } from 'pino';

/** The bot's logger: JSON lines on standard output, each of which has passed the redactor. */
export function createLog(level: string, redact: (text: string) => string): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { error: serializeError, err: serializeError },
    },
    {
      write(line: string) {
        process.stdout.write(redact(line));
      },
    },
  );
}

/** Errors by their message and stack; anything else as it is. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack, cause } = error;
  return { name, message, stack, ...(cause === undefined ? {} : { cause: serializeError(cause) }) };
}
