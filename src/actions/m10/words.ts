import type { M10Refusal } from '../../checks/m10/session.js';
import { failed, unknown } from '../../checks/outcome.js';
import type { Outcome } from '../../runbook/step-kind.js';

/** A value as it would stand in a statement that a person types. */
export function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** A moment for people, by no time zone but UTC. @param ms since the epoch */
export function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** How an action ends that got no answer. */
export function refused(what: string, no: M10Refusal): Outcome {
  const why = no.why.replace(/\.$/, '');
  return no.unclear
    ? unknown(`whether ${what} is not known: ${why}`, { output: no.instead })
    : failed(`${what} did not happen: ${why}`, { output: no.instead });
}
