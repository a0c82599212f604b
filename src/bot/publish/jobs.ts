import { decodeJobEvent, decodeNotice, type JobEvent } from '../../runbook/jobs/events.js';
import type { StoredEvent } from '../../store/event.js';
import { renderAlarmCleared, renderAlarmRaised } from '../render/job-alarm.js';
import { renderJobRun, renderJobRunReply } from '../render/job-run.js';
import { renderJobsSwitched } from '../render/jobs-switched.js';
import type { Rendered } from '../render/message.js';
import { renderNotice } from '../render/notice.js';
import { renderOperation, renderOperationReply } from '../render/operation.js';
import { renderSchedulesUnapproved, renderScheduleVoided } from '../render/schedules.js';
import { eventKey } from './keys.js';
import type { MessageOperation } from './operation.js';
import { redactDeep } from './redact-deep.js';
import { originOf } from './urgent.js';

interface Where {
  readonly incidentChannel: string;
  readonly redact: (text: string) => string;
}

/**
 * What people are told of the jobs, in the incident channel, and what outbox events want to say, in theirs. Each
 * event carries all that its message needs, so nothing is folded.
 * @returns null for an event of any other stream
 */
export function jobOperations(stored: StoredEvent, where: Where): MessageOperation[] | null {
  if (stored.stream.startsWith('notice:')) return [noticeOperation(stored, where)];
  if (!stored.stream.startsWith('jobs:')) return null;
  const event = decodeJobEvent(stored.type, redactDeep(stored.data, where.redact));
  return ofJobs(event, stored, where.incidentChannel);
}

function ofJobs(event: JobEvent, stored: StoredEvent, channel: string): MessageOperation[] {
  const { stream, version } = stored;
  const at = { channel, origin: originOf({ stored }) };
  const once = (what: string, message: Rendered): MessageOperation[] => [
    { ...at, key: eventKey(stream, what, version), message, mode: 'once' },
  ];
  switch (event.type) {
    case 'JobsPaused':
    case 'JobsResumed':
      return once('switched', renderJobsSwitched(event));
    case 'SchedulesUnapproved':
      return once('unapproved', renderSchedulesUnapproved(event));
    case 'ScheduleVoided':
      return once('voided', renderScheduleVoided(event));
    // An alarm is always a message of its own: an updated one notifies nobody.
    case 'JobAlarmRaised':
      return once('alarm', renderAlarmRaised(event));
    case 'JobAlarmCleared':
      return once('alarm', renderAlarmCleared(event));
    // A request becomes its result, and a reply calls whoever asked; what went wrong the channel hears too.
    case 'JobRunRequested':
      return [{ ...at, key: runKey(stream, event.request), message: renderJobRun(event), mode: 'current' }];
    case 'JobRunFinished': {
      const key = runKey(stream, event.request);
      return withReply(
        { ...at, key, message: renderJobRun(event), mode: 'current' },
        renderJobRunReply(event),
        event.outcome === 'failed' || event.outcome === 'lost',
      );
    }
    case 'OperationStarted':
      return [
        {
          ...at,
          key: operationKey(stream, event.operation),
          message: renderOperation(event),
          mode: 'current',
        },
      ];
    case 'OperationFinished': {
      const key = operationKey(stream, event.operation);
      return withReply(
        { ...at, key, message: renderOperation(event), mode: 'current' },
        renderOperationReply(event),
        event.result !== 'passed',
      );
    }
  }
}

const runKey = (stream: string, request: number) => `${stream}:run:${request}`;
const operationKey = (stream: string, operation: number) => `${stream}:operation:${operation}`;

function withReply(result: MessageOperation, reply: Rendered, broadcast: boolean): MessageOperation[] {
  const { key: parent, channel, origin } = result;
  return [
    result,
    { key: `${parent}:reply`, channel, parent, broadcast, message: reply, mode: 'once', origin },
  ];
}

/** In the channel it names; where the bot may not write, in the incident channel, so that it is not lost. */
function noticeOperation(stored: StoredEvent, { incidentChannel, redact }: Where): MessageOperation {
  const notice = decodeNotice(stored.type, redactDeep(stored.data, redact));
  const { channel } = notice;
  const at = { mode: 'once' as const, origin: originOf({ stored }) };
  const own: MessageOperation = { ...at, key: stored.stream, channel, message: renderNotice(notice) };
  if (channel === incidentChannel) return own;
  return {
    ...own,
    otherwise: (code) => ({
      ...at,
      key: `${stored.stream}:elsewhere`,
      channel: incidentChannel,
      message: renderNotice(notice, code),
    }),
  };
}
