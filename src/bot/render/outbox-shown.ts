import type { OutboxSeen } from '../../runbook/jobs/m10-port.js';
import { code, line } from './escape.js';
import { cutMrkdwn, fitLines } from './limits.js';
import { type Block, context, header, message, type Rendered, section } from './message.js';
import { duration, moment, plural } from './words.js';

const figure = (count: number) => count.toLocaleString('en');

/** `/m10 outbox`: what waits, how long, what failed and why. */
export function renderOutbox(shown: { readonly target: string; readonly outbox: OutboxSeen }): Rendered {
  const { target, outbox } = shown;
  const { pending, due, waiting, delivering, oldestMs, lagMs, deadLettered } = outbox;
  const counted = `${figure(pending)} pending: ${figure(due)} due, ${figure(waiting)} wait for their next try, ${figure(delivering)} being delivered.`;
  const oldest = oldestMs === null ? 'Nothing waits.' : `The oldest is ${duration(oldestMs)} old.`;
  const lag = due === 0 ? '' : ` Lag: ${duration(lagMs)}, the age of the oldest that is due.`;
  const dead =
    deadLettered === 0 ? 'No dead letters.' : `${plural(deadLettered, 'dead letter')} in the archive.`;
  return message(
    `Outbox of ${line(target)}: ${counted} ${oldest}${lag} ${dead}`,
    [
      header(`Outbox of ${target}`),
      section(`${counted}\n${oldest}${lag}\n${dead}`),
      ...figures(outbox),
      ...failures(outbox.lastErrors),
    ],
    [
      context(
        `${code('/m10 outbox retry ID')} makes a failed event due at once, and brings a dead letter back. ${code('/m10 jobs log outbox-processor')} shows what the processor did.`,
      ),
    ],
  );
}

function figures({ byType, byRetries }: OutboxSeen): Block[] {
  if (byType.length === 0) return [];
  const types = byType.map(
    ({ eventType, pending }) => `• ${code(cutMrkdwn(eventType, 80))}: ${figure(pending)}`,
  );
  const tries = byRetries.map(({ retries, pending }) =>
    retries === 0
      ? `${figure(pending)} never failed`
      : `${figure(pending)} failed ${plural(retries, 'time')}`,
  );
  return [
    section(`*Pending by type*\n${fitLines(types, 2_600, 'types')}`),
    section(`*Retries of pending events*\n${fitLines([tries.slice(0, 20).join(', ')], 1_500)}`),
  ];
}

function failures(errors: OutboxSeen['lastErrors']): Block[] {
  if (errors.length === 0) return [];
  return [section(`*Last errors*\n${fitLines(errors.map(failure), 2_800, 'events')}`)];
}

function failure(event: OutboxSeen['lastErrors'][number]): string {
  const { id, eventType, aggregate, retries, error, nextTryAt, dead } = event;
  const then = dead ? 'dead letter' : nextTryAt === null ? 'due now' : `next try ${moment(nextTryAt)}`;
  const about = `${line(cutMrkdwn(eventType, 80))}, ${line(cutMrkdwn(aggregate, 80))}`;
  return `• *${id}* (${about}) · ${plural(retries, 'failed try', 'failed tries')}, ${then}: ${cutMrkdwn(line(error), 260)}`;
}
