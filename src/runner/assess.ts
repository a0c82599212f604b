import type { Config } from '../config.js';
import { standsBeside, workedTargets } from '../runbook/beside.js';
import type { CommandOf } from '../runbook/command.js';
import type { TargetState } from '../runbook/events.js';
import { hasChanged, type OpenedRun } from '../runbook/state.js';
import type { LossCounter, TargetReader } from './ports.js';
import type { StepAt } from './steps.js';

export interface Assessor {
  /** What is true after a failure: the state of each target, read now, and what a rollback would lose. */
  assess(state: OpenedRun, at: StepAt): Promise<CommandOf<'Assess'>>;
  /** The state of each target of the run, read now. */
  targets(state: OpenedRun): Promise<TargetState[]>;
}

export function createAssessor(deps: {
  readonly config: Pick<Config, 'targets'>;
  readonly targets: TargetReader;
  readonly loss: LossCounter;
  readonly redact: (text: string) => string;
}): Assessor {
  const { config, redact } = deps;

  async function read(name: string): Promise<TargetState> {
    const target = config.targets[name];
    if (target === undefined) {
      const summary = 'is not in the configuration';
      return { target: name, summary, revision: null, reachable: false };
    }
    try {
      const state = await deps.targets.state(target);
      return { ...state, summary: redact(state.summary) };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return {
        target: name,
        summary: redact(`could not be read: ${why}`),
        revision: null,
        reachable: false,
      };
    }
  }

  const targets = (state: OpenedRun) => Promise.all(workedTargets(state).map(read));

  return {
    targets,
    async assess(state, at) {
      // An operation beside the migration is none of the rollback's business.
      const rollback = hasChanged(state) && !standsBeside(state);
      const meters = rollback ? state.runbook.rollback.loss : [];
      const [states, loss] = await Promise.all([targets(state), deps.loss.count(meters)]);
      const notes =
        hasChanged(state) || standsBeside(state)
          ? []
          : ['This run has not changed any target, so there is nothing to roll back.'];
      return {
        type: 'Assess',
        block: at.block,
        step: at.step,
        attempt: at.attempt,
        targets: states,
        loss: loss.map((l) => ({ ...l, note: redact(l.note) })),
        notes,
      };
    },
  };
}
