import { type Block, GatePolicy, type Runbook, targetOf } from './definition.js';

/** The least that a target asks of every gate on it. */
export type GateFloor = Pick<GatePolicy, 'approvals' | 'expires' | 'from'>;

/** What holds for a block: the strictest of its own policy and those of the targets that its steps work on. */
export function strictest(
  runbook: Runbook,
  block: Block,
  floors: Readonly<Record<string, GateFloor>>,
): { readonly approvals: number; readonly expires: number; readonly lists: readonly string[] } {
  const own = block.gate === 'none' ? GatePolicy.parse({}) : block.gate;
  const names = new Set(block.steps.map((step) => targetOf(runbook, block, step)));
  const all: GateFloor[] = [own, ...[...names].flatMap((name) => floors[name] ?? [])];
  return {
    approvals: Math.max(...all.map((p) => p.approvals)),
    expires: Math.min(...all.map((p) => p.expires)),
    lists: [...new Set(all.flatMap((p) => p.from ?? []))],
  };
}

/** What each configured target asks of gates, by its name. */
export function floorsOf(
  targets: Readonly<Record<string, { readonly gate: GateFloor }>>,
): Record<string, GateFloor> {
  return Object.fromEntries(Object.entries(targets).map(([name, target]) => [name, target.gate]));
}

/**
 * The runbook as it holds with what its targets ask for: each gate with the greatest number of approvals and
 * the shortest life of its own and of the targets that its steps work on. A run keeps this form, so that every
 * message about a gate to come says the number that will be asked for.
 */
export function withFloors(runbook: Runbook, floors: Readonly<Record<string, GateFloor>>): Runbook {
  const raised = <B extends Block>(block: B): B => {
    if (block.gate === 'none') return block;
    const { approvals, expires } = strictest(runbook, block, floors);
    return { ...block, gate: { ...block.gate, approvals, expires } };
  };
  return {
    ...runbook,
    phases: runbook.phases.map(raised),
    operations: runbook.operations.map(raised),
    rollback: raised(runbook.rollback),
  };
}
