import { z } from 'zod';
import type { MaintenanceWindow, TargetConfig } from '../config.js';
import { Duration } from '../runbook/definition.js';
import { defineKind, type StepKind } from '../runbook/step-kind.js';
import type { StepDeps } from './deps.js';
import { failed, passed, spoken } from './outcome.js';
import { localTime, openingAt } from './window.js';

const Args = z.strictObject({
  /** The window must stay open at least this long, ms. */
  'at-least': Duration.default(15 * 60_000),
});

/** Whether the team has agreed to work on the targets at this hour. */
export function windowOpen(deps: StepDeps): StepKind<TargetConfig> {
  return defineKind({
    name: 'window.open',
    changes: false,
    args: Args,
    describe: (args) => ({
      words:
        deps.config.windows.length === 0
          ? 'Look for a maintenance window; none is configured, so any time is fine.'
          : `Make sure that a maintenance window is open for ${spoken(args['at-least'])} more: ${deps.config.windows.map(sayWindow).join('; ')}.`,
      commands: [],
    }),
    async run(args) {
      const { windows } = deps.config;
      if (windows.length === 0) return passed('no maintenance window is configured, so any time is fine');
      const now = deps.now();
      const { open, next } = openingAt(windows, now);
      const output = windows.map(sayWindow).join('\n');
      const then =
        next === null
          ? 'none opens within a week'
          : `the next one opens ${localTime(next.from, next.window.timezone)}`;
      if (open === null) return failed(`no maintenance window is open; ${then}`, { output });
      const left = open.to - now;
      const until = `until ${localTime(open.to, open.window.timezone)}`;
      if (left < args['at-least']) {
        return failed(`the maintenance window closes in ${spoken(left)}, ${until}; ${then}`, { output });
      }
      return passed(`a maintenance window is open for ${spoken(left)}, ${until}`, { output });
    },
  });
}

function sayWindow(window: MaintenanceWindow): string {
  return `${window.days.join(', ')} ${window.from} to ${window.to} (${window.timezone})`;
}
