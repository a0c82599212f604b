import { renderAlarmCleared, renderAlarmRaised } from '../../../src/bot/render/job-alarm.js';
import { renderJobRun, renderJobRunReply } from '../../../src/bot/render/job-run.js';
import { renderJobsSwitched } from '../../../src/bot/render/jobs-switched.js';
import type { Rendered } from '../../../src/bot/render/message.js';
import { renderNotice } from '../../../src/bot/render/notice.js';
import { renderOperation, renderOperationReply } from '../../../src/bot/render/operation.js';
import { renderReply } from '../../../src/bot/render/replies.js';
import { renderSchedulesUnapproved, renderScheduleVoided } from '../../../src/bot/render/schedules.js';
import type { JobEventOf, JobOutcome } from '../../../src/runbook/jobs/events.js';
import { jobNames } from '../../../src/runbook/jobs/names.js';
import type { JobOverview, JobRunRecord } from '../../../src/runbook/jobs/port.js';
import { alice, bob, t0 } from './sample.js';

const minute = 60_000;

export function run(text: string | undefined, change: Partial<JobRunRecord> = {}): JobRunRecord {
  const say = (own: string) => text ?? own;
  return {
    id: 1,
    job: 'matview-refresh',
    tick: t0,
    trigger: 'schedule',
    by: null,
    dryRun: false,
    owner: say('host-1:17'),
    startedAt: t0,
    finishedAt: t0 + 340,
    durationMs: 340,
    outcome: 'passed',
    summary: say('Refreshed mv_top_pending, which has 1,200 rows'),
    output: '',
    advice: '',
    counts: { [say('rows')]: 1_200 },
    ...change,
  };
}

/** What `/m10 jobs` may have to show of a job, one each. */
export function overview(text?: string): JobOverview[] {
  const say = (own: string) => text ?? own;
  const base: JobOverview = {
    job: 'outbox-processor',
    schedule: '*/30 * * * * *',
    timezone: 'UTC',
    words: say('Every 30 seconds (UTC)'),
    command: null,
    paused: null,
    cover: { approval: { run: 7, gate: 2, approvers: [bob] }, parts: {} },
    waitsFor: [],
    nextRun: t0 + 2 * minute,
    last: run(text),
    leader: { holder: say('host-1:17'), expiresAt: t0 + 3 * minute, ours: true },
    failures: 0,
  };
  const failed = run(text, {
    outcome: 'failed',
    summary: say('The database is gone'),
    finishedAt: t0 + minute,
  });
  const changes: Partial<JobOverview>[] = [
    {},
    {
      timezone: say('Europe/Berlin'),
      words: say('Every 30 seconds (Europe/Berlin)'),
      command: say('python -m scripts.ops.reconcile_dl --json'),
      failures: 4,
      last: failed,
    },
    {
      paused: { by: bob, reason: say('it blocks the report'), at: t0 - 90 * minute, run: 7 },
      nextRun: null,
      leader: { holder: say('worker-7'), expiresAt: t0 - minute, ours: false },
    },
    {
      paused: { by: null, reason: say('not switched on yet'), at: null, run: null },
      nextRun: null,
      last: null,
      leader: null,
    },
    {
      cover: { approval: null, parts: {} },
      waitsFor: [say('table m10_recovery.outbox'), say('DELETE on m10_recovery.replay_log')],
      last: run(text, { outcome: 'running', finishedAt: null, durationMs: null, summary: '' }),
    },
  ];
  return jobNames.map((job, index) => ({ ...base, ...changes[index], job }));
}

/** Every message about jobs, with each free text replaced by `text`. */
export function jobMessages(text?: string): Record<string, Rendered> {
  const say = (own: string) => text ?? own;
  const now = t0 + 2 * minute;
  const switched = {
    jobs: ['dl-reconcile' as const, 'reclaim-gc' as const],
    by: bob,
    reason: say('it blocks the report'),
    via: 'command' as const,
  };
  const voided = {
    type: 'ScheduleVoided' as const,
    job: 'retention-cleanup' as const,
    diff: [say('outbox: 7 days (604800000 ms) when approved, 24 h (86400000 ms) now'), say('program: a, b')],
  };
  const finished = (outcome: JobOutcome, dryRun = false): JobEventOf<'JobRunFinished'> => ({
    type: 'JobRunFinished',
    request: 3,
    job: 'dl-reconcile',
    by: alice,
    dryRun,
    outcome,
    summary: say('Acknowledged 3, archived 3'),
    counts: { acknowledged: 3, [say('dead_letters')]: 1_200 },
    output: say('1718000000000-0 acknowledged\n1718000000001-0 archived'),
    advice: outcome === 'failed' ? say('Look at `/m10 locks`.') : '',
    durationMs: 1_250,
  });
  const raised: JobEventOf<'JobAlarmRaised'> = {
    type: 'JobAlarmRaised',
    job: 'matview-refresh',
    alarm: 'failing',
    failures: 3,
    summary: say('matview-refresh failed 3 times in a row.'),
    error: say('canceling statement due to lock timeout'),
    advice: say('`/m10 jobs log matview-refresh` shows the last runs.'),
  };
  const operation: JobEventOf<'OperationFinished'> = {
    type: 'OperationFinished',
    operation: 2,
    what: say('Remove the expired locks'),
    by: alice,
    result: 'passed',
    summary: say('2 locks removed'),
    output: say('m10:outbox_processor of worker-7, expired 5 min ago'),
    durationMs: 40,
  };
  const notice = {
    type: 'NoticePosted' as const,
    channel: 'C0OPS00001',
    text: say('Shipment 7 left.\nSecond line'),
    source: say('outbox event 7 (notify:ops)'),
  };
  const runs = [
    run(text, { trigger: 'hand', by: alice, dryRun: true, output: say('would refresh') }),
    run(text, {
      outcome: 'failed',
      output: say('ERROR: no'),
      advice: say('Look at `/m10 locks`.'),
      trigger: 'made-up',
    }),
    run(text, { outcome: 'skipped', trigger: 'runbook', by: alice }),
    run(text, { outcome: 'lost' }),
    run(text, { outcome: 'running', finishedAt: null, durationMs: null, summary: '' }),
    ...Array.from({ length: 15 }, () => run(text)),
  ];
  const requests = [{ request: 3, job: 'dl-reconcile' as const, by: alice, dryRun: true, at: t0 }];
  return {
    jobsPaused: renderJobsSwitched({ type: 'JobsPaused', run: null, ...switched }),
    jobsPausedInRun: renderJobsSwitched({ type: 'JobsPaused', run: 7, ...switched, reason: '' }),
    jobsResumed: renderJobsSwitched({ type: 'JobsResumed', run: null, ...switched }),
    jobsApproved: renderJobsSwitched({
      ...switched,
      type: 'JobsResumed',
      run: 7,
      by: alice,
      reason: '',
      approval: { run: 7, gate: 2, approvers: [bob] },
      parts: {},
    }),
    scheduleVoided: renderScheduleVoided({ ...voided, approved: true }),
    scheduleVoidedUnapproved: renderScheduleVoided({ ...voided, approved: false }),
    schedulesUnapproved: renderSchedulesUnapproved({
      type: 'SchedulesUnapproved',
      jobs: [...jobNames],
      parts: {},
    }),
    scheduleUnapproved: renderSchedulesUnapproved({
      type: 'SchedulesUnapproved',
      jobs: ['reclaim-gc'],
      parts: {},
    }),
    jobRunAsked: renderJobRun({
      type: 'JobRunRequested',
      request: 3,
      job: 'dl-reconcile',
      by: alice,
      dryRun: false,
      via: 'command',
    }),
    jobRunPassed: renderJobRun(finished('passed')),
    jobRunDry: renderJobRun(finished('passed', true)),
    jobRunFailed: renderJobRun(finished('failed')),
    jobRunSkipped: renderJobRun(finished('skipped')),
    jobRunLost: renderJobRun(finished('lost')),
    jobRunReply: renderJobRunReply(finished('passed', true)),
    jobAlarm: renderAlarmRaised(raised),
    jobAlarmLag: renderAlarmRaised({ ...raised, alarm: 'lag', error: '' }),
    jobAlarmCleared: renderAlarmCleared({
      type: 'JobAlarmCleared',
      job: 'matview-refresh',
      alarm: 'failing',
      summary: say('matview-refresh works again, after 3 failures or more in a row.'),
    }),
    operationStarted: renderOperation({
      type: 'OperationStarted',
      operation: 2,
      what: say('Remove the expired locks'),
      by: alice,
      via: 'command',
    }),
    operationFinished: renderOperation(operation),
    operationUnknown: renderOperation({ ...operation, result: 'unknown' }),
    operationReply: renderOperationReply({ ...operation, result: 'failed' }),
    notice: renderNotice(notice),
    noticeElsewhere: renderNotice(notice, say('not_in_channel')),
    jobs: renderReply({ kind: 'jobs', target: say('production'), jobs: overview(text), requests, now }),
    jobsLog: renderReply({ kind: 'jobs-log', job: 'matview-refresh', runs, now }),
    jobsLogEmpty: renderReply({ kind: 'jobs-log', job: 'matview-refresh', runs: [], now }),
  };
}
