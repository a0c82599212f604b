import type { EventSeen, OutboxSeen } from '../../runbook/jobs/m10-port.js';
import { code, line } from './escape.js';
import { ago } from './job-words.js';
import { cutMrkdwn, fitLines } from './limits.js';
import { type Block, context, header, message, type Rendered, section } from './message.js';
import { duration, plural } from './words.js';

const figure = (count: number) => count.toLocaleString('en');

/** `/m10 outbox`: what waits, how long, what failed and why. */
export function renderOutbox(shown: { readonly target: string; readonly outbox: OutboxSeen }): Rendered {
  const { target, outbox } = shown;
  const { pending, due, retrying, lagMs, dead } = outbox;
  const lag = lagMs === null ? 'Nothing waits.' : `The oldest waits for ${duration(Math.max(0, lagMs))}.`;
  const counted = `${figure(pending)} pending, ${figure(due)} of them due, ${figure(retrying)} after a failure. ${lag}`;
  const given = dead === 0 ? '' : ` ${plural(dead, 'dead letter')}, given up after the last try.`;
  return message(
    `Outbox of ${line(target)}: ${counted}${given}`,
    [
      header(`Outbox of ${target}`),
      section(`${counted}${given}`),
      ...types(outbox),
      ...failures(outbox.failures),
    ],
    [
      context(
        `${code('/m10 outbox retry ID')} makes a failed event due at once, a dead letter too. ${code('/m10 jobs log outbox-processor')} shows what the processor did.`,
      ),
    ],
  );
}

function types({ types: shown, otherTypes }: OutboxSeen): Block[] {
  if (shown.length === 0) return [];
  const lines = shown.map(({ type, pending, retrying, oldestMs, tries }) => {
    const failed = retrying === 0 ? '' : ` · ${figure(retrying)} failed, up to ${plural(tries, 'time')}`;
    return `• ${code(cutMrkdwn(type, 80))}: ${figure(pending)} · oldest ${ago(Math.max(0, oldestMs))}${failed}`;
  });
  const more = otherTypes === 0 ? [] : [`… and ${plural(otherTypes, 'other type')}`];
  return [section(`*Pending by type*\n${fitLines([...lines, ...more], 2_600, 'types')}`)];
}

function failures(events: readonly EventSeen[]): Block[] {
  if (events.length === 0) return [];
  return [section(`*Last errors*\n${fitLines(events.map(failure), 2_800, 'events')}`)];
}

function failure(event: EventSeen): string {
  const { id, type, aggregate, tries, error, state, inMs } = event;
  const then = state === 'dead' ? 'dead letter' : inMs === null ? 'due now' : `next try in ${duration(inMs)}`;
  const about = `${line(cutMrkdwn(type, 80))}, ${line(cutMrkdwn(aggregate, 80))}`;
  const why = error === null ? 'no error was noted' : cutMrkdwn(line(error), 260);
  return `• *${id}* (${about}) · ${plural(tries, 'failed try', 'failed tries')}, ${then}: ${why}`;
}
