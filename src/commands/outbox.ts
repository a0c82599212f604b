import type { M10Port } from '../runbook/jobs/m10-port.js';
import { type Refusal, refuse } from '../runbook/refusal.js';
import type { JobsJournal } from '../store/jobs.js';
import type { CommandContext } from './context.js';
import { approvalNeeded, demanded } from './demand.js';
import { noAnswer, notAllowed } from './m10-refusals.js';
import { openBeside } from './open-beside.js';
import type { Effect, Operation } from './operate.js';
import type { Reply } from './reply.js';

/** Makes an event due, or asks a second person for that where the rule demands it. */
export async function retryAsDemanded(
  context: CommandContext,
  m10: M10Port,
  said: string,
  journal: JobsJournal,
  id: number,
): Promise<Reply | Refusal | Operation> {
  const operation = retryOutbox(m10, id);
  const { state } = await journal.load();
  // Begun by the same delivery before a crash: it is brought to its end, whatever has become of the schedule.
  const begun = state.openOperations.some(
    ({ delivery }) => delivery !== null && delivery === context.delivery,
  );
  if (begun) return operation;
  const demand = await demanded(context, journal, { kind: 'outbox-retry' });
  if (demand.kind === 'free') return operation;
  const no = notAllowed(context, 'ask for a retry of an event') ?? (await senseless(m10, id));
  if (no !== null) return no;
  return openBeside(
    context,
    said,
    `the retry of event ${id}`,
    {
      id: 'outbox-retry',
      step: 'retry',
      title: `Deliver outbox event ${id} again`,
      on: m10.target,
      uses: 'outbox.retry',
      with: { event: id },
      timeout: 60_000,
      onFailure: 'The event is as it was; a retry tries again.',
    },
    approvalNeeded(demand.why),
  );
}

/** Makes a failed event due at once. What its delivery comes to, the outbox processor tells. */
export function retryOutbox(m10: M10Port, id: number): Operation {
  return {
    what: `Make outbox event ${id} of ${m10.target} due again`,
    unwanted: () => senseless(m10, id),
    effect: () => retried(m10, id),
  };
}

async function senseless(m10: M10Port, id: number): Promise<Refusal | null> {
  const read = await m10.outboxEvent(id);
  if (read.kind === 'no') return noAnswer(read);
  if (read.value === null) {
    return refuse(
      'unknown_event',
      `The outbox of ${m10.target} has no event ${id}.`,
      '`/m10 outbox` lists those that failed. Delivered and dead ones are kept for some days only.',
    );
  }
  const { state, eventType: type } = read.value;
  if (state === 'delivered') {
    return refuse(
      'nothing_left',
      `Event ${id} (${type}) was delivered already.`,
      '`/m10 outbox` lists those that failed.',
    );
  }
  if (state === 'delivering') {
    return refuse(
      'nothing_left',
      `Event ${id} (${type}) is being delivered at this moment.`,
      '`/m10 outbox` shows what came of it.',
    );
  }
  if (state === 'due') {
    return refuse(
      'nothing_left',
      `Event ${id} (${type}) is due already: the outbox processor takes it at its next run.`,
      '`/m10 jobs run outbox-processor` runs it now; an older event of the same aggregate goes first.',
    );
  }
  return null;
}

async function retried(m10: M10Port, id: number): Promise<Effect> {
  const done = await m10.retryOutbox(id);
  if (done.kind === 'no') return { result: 'failed', summary: done.why, output: done.instead };
  switch (done.value.kind) {
    case 'due': {
      const { revived, behind } = done.value;
      const back = revived ? 'is back in the outbox with all its tries and ' : '';
      const first = behind === null ? '' : `, after event ${behind} of the same aggregate`;
      const summary = `event ${id} of ${m10.target} ${back}is due; the outbox processor takes it at its next run${first}`;
      return { result: 'passed', summary, output: '' };
    }
    case 'delivering':
      return {
        result: 'passed',
        summary: `event ${id} of ${m10.target} is being delivered at this moment`,
        output: '',
      };
    case 'delivered':
      return { result: 'passed', summary: `event ${id} of ${m10.target} is delivered by now`, output: '' };
    case 'gone':
      return {
        result: 'failed',
        summary: `the outbox of ${m10.target} has no event ${id} any more`,
        output: '',
      };
    case 'replaced':
      return {
        result: 'failed',
        summary: `event ${done.value.by} of the same aggregate and type is pending and tells what is true now, so event ${id} stays a dead letter`,
        output: '',
      };
  }
}
