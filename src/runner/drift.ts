import { changesBetween } from '../checks/plan/manifest.js';
import type { Step } from '../runbook/definition.js';
import { diffFingerprints } from '../runbook/fingerprint.js';
import type { Gate } from '../runbook/state.js';
import type { BoundStep, PlanContext, Survey } from '../runbook/step-kind.js';

/** Left out here: it names what this very block has written, too. The code's digest tells changes apart. */
const loose = ['uncommitted changes'];
const codeDigest = 'code digest';

/**
 * Whether what a step would do is still what was approved. The whole fingerprint is compared when an approval
 * is spent; a step that comes later, or runs again after a crash, is compared once more by its own parts, as the
 * code may have been replaced meanwhile.
 * @returns the differences, one line each; empty when there are none
 */
export async function driftOf<Target>(
  gate: Gate | undefined,
  step: Step,
  bound: BoundStep<Target>,
  context: PlanContext<Target>,
  redact: (text: string) => string,
): Promise<string[]> {
  if (gate?.fingerprint == null || bound.survey === undefined) return [];
  const survey = await bound.survey(context);
  if (survey.kind === 'failed') return [`what was approved cannot be computed again: ${redact(survey.why)}`];
  return surveyDrift(gate, step, survey, redact);
}

/** The same for a survey that has been made already. */
export function surveyDrift(
  gate: Gate | undefined,
  step: Step,
  survey: Extract<Survey, { kind: 'surveyed' }>,
  redact: (text: string) => string,
): string[] {
  if (gate?.fingerprint == null) return [];
  const prefix = `${step.id}: `;
  const own = (parts: Readonly<Record<string, string>>) => ({
    digest: '',
    parts: Object.fromEntries(
      Object.entries(parts).filter(
        ([name]) => name.startsWith(prefix) && !loose.includes(name.slice(prefix.length)),
      ),
    ),
  });
  const approved = own(gate.fingerprint.parts);
  const now = Object.entries(survey.parts).map(([key, value]) => [`${prefix}${key}`, redact(value)]);
  const found = own(Object.fromEntries(now));
  const part = `${prefix}${codeDigest}`;
  const [was, is] = [approved.parts[part], found.parts[part]];
  if (was === undefined || is === undefined || was === is) return diffFingerprints(approved, found);
  const changes = changesBetween(was, is);
  if (changes === null) return diffFingerprints(approved, found);
  // The rest is compared as if the code were the same, since its changes are told one by one.
  return [
    ...diffFingerprints(approved, { digest: '', parts: { ...found.parts, [part]: was } }),
    ...changes.map(redact),
  ];
}
