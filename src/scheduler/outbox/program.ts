import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { lastWords } from '../../clients/process/ids.js';
import type { Processes } from '../../clients/process.js';
import type { TargetConfig } from '../../config.js';
import { endOf } from '../../excerpt.js';
import { done, failed, jsonOf, type OutboxEvent, type Try } from './event.js';
import type { Stop } from './stop.js';

export interface ProgramHandler {
  readonly argv: readonly [string, ...string[]];
  /** ms */
  readonly timeout: number;
}

const SHOWN_CHARACTERS = 300;

/**
 * Gives an event to a program: its JSON (event_id, aggregate_type, aggregate_id, event_type, payload, retry_count)
 * on standard input, `M10_EVENT_ID` and `M10_EVENT_TYPE` in the target's environment, in the target's directory.
 * Exit code 0 is success. The same event may come again, so a program goes by its id.
 */
export async function runProgram(
  deps: {
    readonly processes: Processes;
    readonly target: TargetConfig;
    readonly redact: (text: string) => string;
  },
  handler: ProgramHandler,
  event: OutboxEvent,
  stop: Stop,
): Promise<Try> {
  const { processes, target, redact } = deps;
  const id = `outbox-${target.name.replace(/[^\w.-]/g, '_')}/${event.id}/${randomUUID()}`;
  const [name] = handler.argv;
  const ending = new AbortController();
  const release = stop.onStop(() => ending.abort());
  try {
    const end = await processes.run({
      id,
      argv: handler.argv,
      cwd: target.directory,
      env: { ...target.env, M10_EVENT_ID: event.id, M10_EVENT_TYPE: event.eventType },
      input: jsonOf(event),
      timeoutMs: handler.timeout,
      maxOutputBytes: 4_096,
      signal: ending.signal,
    });
    if (end.kind === 'exited' && end.exitCode === 0) return done;
    const said = endOf(redact(lastWords(end)).trim().replace(/\s+/g, ' '), SHOWN_CHARACTERS, redact);
    const words = said === '' ? '.' : `: ${said}`;
    switch (end.kind) {
      case 'exited':
        return failed(`${name} ended with exit code ${end.exitCode}${words}`);
      case 'timed_out':
        return failed(`${name} did not end within ${handler.timeout / 1000} s${words}`);
      case 'stopped':
        return failed(`${name} was stopped${words}`);
      case 'killed_by_signal':
        return failed(`${name} was ended by ${end.signal}${words}`);
      case 'not_started':
        return failed(`${name} could not be started${words}`);
    }
  } finally {
    release();
    // Thousands of events a day would fill the folder; what failed is told in the outbox.
    await rm(processes.paths(id).folder, { recursive: true, force: true }).catch(() => undefined);
  }
}
