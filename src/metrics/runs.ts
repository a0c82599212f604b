import { Histogram, type Registry } from 'prom-client';
import type { RunMoment } from '../store/run-moments.js';
import { createReading } from './gauges.js';
import { createCap } from './labels.js';

export interface RunReader {
  /** The journal's last position. */
  head(): Promise<number>;
  moments(after: number, upTo: number, stepsAfter: number): Promise<readonly RunMoment[]>;
}

/** From a check to a dump of a large database, s. */
const stepBuckets = [0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 10_800];
/** From a colleague who is waiting for it to a request that expires, s. */
const gateBuckets = [5, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 14_400];
/** Positions that are read at once. */
const stretch = 20_000;

/** How a request for approval can end, by the event that ends it. */
const ends: Readonly<Record<string, string>> = {
  GateSpent: 'approved',
  GateRefused: 'refused',
  GateExpired: 'expired',
  GateCancelled: 'cancelled',
  GateVoided: 'voided',
};
const outcomes = ['verified', 'rolled-back', 'operation-done', 'closed'];

/**
 * What the journal says about runs. Where the runs stand is told from its beginning; the times of steps and of
 * requests are observed from where it ended when this replica began, so they are counters like any other.
 */
export function createRunMetrics(registry: Registry, reader: RunReader) {
  const registers = [registry];
  const runs = createReading(registry, 'm10bot_runs', 'Runs by where they stand, or how they ended.', [
    'state',
  ]);
  const steps = new Histogram({
    name: 'm10bot_steps_seconds',
    help: 'How long steps of runs took.',
    labelNames: ['uses', 'result'],
    buckets: stepBuckets,
    registers,
  });
  const gates = new Histogram({
    name: 'm10bot_gate_wait_seconds',
    help: 'How long requests for approval were open.',
    labelNames: ['outcome'],
    buckets: gateBuckets,
    registers,
  });
  for (const outcome of Object.values(ends)) gates.zero({ outcome });

  const uses = createCap((text) => text);
  const open = new Map<number, { stopped: boolean; readonly gates: Map<number, number> }>();
  const ended = new Map(outcomes.map((outcome) => [outcome, 0]));
  let from: number | undefined;
  let position = 0;

  function see(moment: RunMoment): void {
    const { run, type, at, gate } = moment;
    const isNew = from !== undefined && moment.position > from;
    if (type === 'RunOpened') open.set(run, { stopped: false, gates: new Map() });
    if (type === 'RunClosed' && open.delete(run)) {
      const outcome = moment.outcome ?? 'closed';
      ended.set(outcome, (ended.get(outcome) ?? 0) + 1);
    }
    if (type === 'StepFinished' && isNew) {
      const labels = { uses: uses(moment.uses ?? 'unknown'), result: moment.result ?? 'unknown' };
      steps.observe(labels, Math.max(0, moment.durationMs ?? 0) / 1_000);
    }
    const state = open.get(run);
    if (state === undefined) return;
    if (type === 'StopRequested' || type === 'ApprovalNotConfirmed') state.stopped = true;
    if (type === 'RunResumed') state.stopped = false;
    if (gate === null) return;
    if (type === 'GateOpened') state.gates.set(gate, at);
    const outcome = ends[type];
    const openedAt = state.gates.get(gate);
    if (outcome === undefined || openedAt === undefined) return;
    state.gates.delete(gate);
    if (isNew) gates.observe({ outcome }, Math.max(0, at - openedAt) / 1_000);
  }

  function count(): { labels: { state: string }; value: number }[] {
    const counts = { waiting: 0, stopped: 0, running: 0 };
    for (const { stopped, gates: waiting } of open.values()) {
      counts[waiting.size > 0 ? 'waiting' : stopped ? 'stopped' : 'running'] += 1;
    }
    return [...Object.entries(counts), ...ended].map(([state, value]) => ({ labels: { state }, value }));
  }

  return {
    /** Notes where the journal ends now: what is appended after this is observed. */
    async begin(): Promise<void> {
      from ??= await reader.head();
    },
    /** Reads on. What has been seen is kept when a read fails in the middle. */
    async read(): Promise<() => void> {
      const head = await reader.head();
      from ??= head;
      while (position < head) {
        const upTo = Math.min(position + stretch, head);
        for (const moment of await reader.moments(position, upTo, from)) see(moment);
        position = upTo;
      }
      return () => runs.set(count());
    },
    absent: runs.absent,
  };
}
