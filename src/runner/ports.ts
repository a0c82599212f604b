import type { TargetConfig } from '../config.js';
import type { StepKind } from '../runbook/step-kind.js';

export type { LossCounter } from '../checks/loss.js';
export type { TargetReader } from '../checks/target-state.js';

export type Kinds = ReadonlyMap<string, StepKind<TargetConfig>>;

export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
