import { compareSchedules } from '../runbook/jobs/decide.js';
import type { PartsByJob } from '../runbook/jobs/events.js';
import { type JobName, jobNames } from '../runbook/jobs/names.js';
import type { JobCovers } from '../runbook/jobs/port.js';
import { type Deed, demandOf, scheduleOf } from '../runbook/jobs/rule.js';
import { standingOf } from '../runbook/jobs/schedules.js';
import type { JobsState } from '../runbook/jobs/state.js';
import type { JobsJournal } from '../store/jobs.js';
import { nothing, type Verdict } from './report.js';

/** Whether a run may begin: asked right before it does, under the job's lock. null: it may. */
export interface Permits {
  /** A run by the schedule: it is on, and the job does what was approved. What differs is switched off and told. */
  bySchedule(job: JobName): Promise<Verdict | null>;
  /** A run that somebody asked for without an approval of its own. */
  onDemand(job: JobName, dryRun: boolean): Promise<Verdict | null>;
  /**
   * Compares all schedules that are on.
   * @returns whether each of them could be read
   */
  compareAll(): Promise<boolean>;
}

/** Holds what jobs do now against what was approved. */
export function createPermits(deps: {
  readonly journal: JobsJournal;
  /** What a job does now. */
  readonly covers: (job: JobName) => Promise<JobCovers>;
  /** Whether the job is a program of the team. */
  readonly isProgram: (job: JobName) => boolean;
}): Permits {
  const { journal, covers } = deps;

  async function compared(parts: PartsByJob): Promise<JobsState> {
    const done = await journal.execute((state) => compareSchedules(state, parts));
    if (done.kind === 'refused') throw new Error(done.why);
    return done.state;
  }

  return {
    async bySchedule(job) {
      const before = (await journal.load()).state;
      if (before.paused[job] !== null) return switchedOff;
      const now = await covers(job);
      if (now.kind === 'failed') return unread(job, now.why);
      const { paused } = await compared({ [job]: now.parts });
      const pause = paused[job];
      if (pause === null) return null;
      return pause.by === null ? notRun(`${job} is switched off: ${pause.reason}`) : switchedOff;
    },

    async onDemand(job, dryRun) {
      const deed: Deed = { kind: 'run-job', job, dryRun, program: deps.isProgram(job) };
      const scheduled = scheduleOf(deed);
      if (scheduled === null) return null;
      const now = await covers(scheduled);
      const parts = now.kind === 'read' ? now.parts : null;
      const state = parts === null ? (await journal.load()).state : await compared({ [scheduled]: parts });
      const demand = demandOf(deed, standingOf(state, scheduled, parts));
      if (demand.kind === 'free') return null;
      return {
        ...notRun(`it needs a second person's approval by now: ${demand.why}`),
        advice: `\`/m10 jobs run ${job}\` asks for it.`,
      };
    },

    async compareAll() {
      const { state } = await journal.load();
      const parts: PartsByJob = {};
      let all = true;
      for (const job of jobNames.filter((name) => state.paused[name] === null)) {
        const now = await covers(job);
        if (now.kind === 'read') parts[job] = now.parts;
        else all = false;
      }
      await compared(parts);
      return all;
    },
  };
}

const notRun = (why: string): Verdict => ({ ...nothing, outcome: 'skipped', summary: `Not run: ${why}.` });
const switchedOff = notRun('the schedule was switched off');

/** Neither the same nor a difference: nothing runs, nothing is switched off, and the next moment asks again. */
function unread(job: JobName, why: string): Verdict {
  return {
    ...nothing,
    outcome: 'failed',
    summary: `Not run: whether ${job} still is what was approved could not be read (${why}).`,
    advice:
      'Make its files readable for m10bot; the next moment of the schedule tries again, and the schedule stays on.',
  };
}
