import { z } from 'zod';
import { withM10 } from '../checks/m10/session.js';
import { failed, passed } from '../checks/outcome.js';
import { type OutboxEventState, outboxEvent, retryEvent } from '../clients/m10/outbox-events.js';
import { readSessionsByName } from '../clients/postgres/activity.js';
import type { TargetConfig } from '../config.js';
import {
  defineKind,
  type Outcome,
  type Probe,
  type StepContext,
  type StepKind,
} from '../runbook/step-kind.js';
import { refused } from './m10/words.js';

const Args = z.strictObject({ event: z.int('expected the number of an event').min(1) });
type Args = z.infer<typeof Args>;

/** Makes a failed event of the outbox due again; one that was given up comes back with all its tries. */
export function outboxRetry(): StepKind<TargetConfig> {
  return defineKind({
    name: 'outbox.retry',
    changes: true,
    args: Args,
    describe: (args, { target }) => ({
      words: `Make event ${args.event} of the outbox of ${target.name} due again. It is delivered by the next run of the outbox processor, perhaps a second time: a try that failed may have reached its receiver.`,
      commands: [`/m10 outbox retry ${args.event}`],
    }),
    async survey(args, { target }) {
      const read = await withM10(target, { applicationName: 'm10bot:survey' }, (database) =>
        outboxEvent(database, args.event),
      );
      if (read.kind === 'no') return { kind: 'failed', why: `${read.why} ${read.instead}` };
      const event = read.value;
      if (event === null) {
        return { kind: 'failed', why: `the outbox of ${target.name} has no event ${args.event} any more` };
      }
      return {
        kind: 'surveyed',
        parts: { 'event type': event.eventType, 'given up': event.state === 'dead' ? 'yes' : 'no' },
        sql: [],
        warnings: [`Event ${args.event} is of the type ${event.eventType}; ${stateWords(event.state)}.`],
      };
    },
    run: retry,
    probe: whatBecame,
  });
}

function stateWords(state: OutboxEventState['state']): string {
  switch (state) {
    case 'dead':
      return 'it was given up after its last try';
    case 'waits':
      return 'it waits for its next try';
    case 'due':
      return 'it is due already';
    case 'delivering':
      return 'it is being delivered';
    case 'delivered':
      return 'it was delivered by now, and is not delivered again';
  }
}

async function retry(args: Args, { target, applicationName }: StepContext<TargetConfig>): Promise<Outcome> {
  const what = `event ${args.event} of ${target.name}`;
  const done = await withM10(target, { applicationName }, (database) => retryEvent(database, args.event));
  if (done.kind === 'no') return refused(`the retry of ${what}`, done);
  switch (done.value.kind) {
    case 'made_due':
    case 'due_already':
      return passed(
        `${what} is due; the outbox processor takes it at its next run${done.value.behind === null ? '' : `, after event ${done.value.behind} of the same aggregate`}`,
      );
    case 'revived':
      return passed(
        `${what} is back in the outbox with all its tries and is due; the outbox processor takes it at its next run`,
      );
    case 'delivering':
      return passed(`${what} is being delivered at this moment`);
    case 'processed':
      return passed(`${what} is delivered by now`);
    case 'not_found':
      return failed(`the outbox of ${target.name} has no event ${args.event} any more`);
    case 'replaced':
      return failed(
        `event ${done.value.by} of the same aggregate and type is pending and tells what is true now, so ${what} stays a dead letter`,
      );
  }
}

/** One transaction: it took effect or it did not, and doing it twice comes to the same. */
async function whatBecame(
  args: Args,
  { target, applicationName }: StepContext<TargetConfig>,
): Promise<Probe> {
  const read = await withM10(target, { applicationName: 'm10bot:probe' }, async (database) => ({
    sessions: await readSessionsByName(database, applicationName),
    event: await outboxEvent(database, args.event),
  }));
  if (read.kind === 'no') return { kind: 'unknown', evidence: read.why };
  const { sessions, event } = read.value;
  const session = sessions.find((s) => s.applicationName === applicationName);
  if (session !== undefined)
    return { kind: 'running', evidence: `its session ${session.pid} is still there` };
  if (event?.state === 'waits' || event?.state === 'dead') {
    return { kind: 'not_done', evidence: stateWords(event.state) };
  }
  const now = event === null ? 'it is gone from the outbox by now' : stateWords(event.state);
  return { kind: 'done', outcome: passed(`event ${args.event} of ${target.name}: ${now}`) };
}
