import { isBesideHold, targetOfHold } from '../beside.js';
import type { CommandOf } from '../command.js';
import { findBlock } from '../definition.js';
import type { Cover, RunEvent } from '../events.js';
import { refuse } from '../refusal.js';
import type { RunState } from '../state.js';
import { accept, type Decision } from './accept.js';
import { operatorsOnly, unknownOperation } from './in-the-way.js';

export function openRun(state: RunState, command: CommandOf<'OpenRun'>): Decision {
  if (state.kind === 'run') return refuse('run_open', `Run ${state.run} exists already.`);
  if (!command.operator) return operatorsOnly('open a run');
  const held = command.busy[0];
  if (held !== undefined && isBesideHold(held.target)) {
    return refuse(
      'target_busy',
      `Run ${held.run} is another operation on ${targetOfHold(held.target)}, and is still open.`,
      'Answer its request first: ✅ approves, ❌ withdraws it. `/m10 status` shows it.',
    );
  }
  if (held !== undefined) {
    return refuse(
      'target_busy',
      `Run ${held.run} holds ${command.busy.map((b) => b.target).join(' and ')}.`,
      'Continue it (`/m10 status` says how), or close it with `/m10 close REASON`.',
    );
  }
  const { purpose, runbook } = command;
  const opened: RunEvent = {
    type: 'RunOpened',
    run: command.run,
    purpose,
    runbook,
    digest: command.digest,
    channel: command.channel,
    by: command.by,
    changing: [...command.changing],
  };
  if (purpose.kind === 'runbook') return accept(opened);
  const block = findBlock(runbook, purpose);
  if (block === undefined) return unknownOperation(runbook.operations.map((o) => o.id));
  if (block.gate === 'none') return accept(opened);
  const cover: Cover = { kind: 'block', block: purpose, from: null, reason: command.reason };
  return accept(opened, {
    type: 'ApprovalRequested',
    gate: 1,
    cover,
    by: command.by,
    via: 'command',
  });
}
