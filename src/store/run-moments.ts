import type pg from 'pg';
import { z } from 'zod';

/** What the events of runs say about times and ends, without their plans and outputs. */
const Moment = z.object({
  position: z.coerce.number(),
  run: z.coerce.number(),
  type: z.string(),
  /** ms since the epoch, by the journal's clock */
  at: z.date().transform((date) => date.getTime()),
  outcome: z.string().nullable(),
  gate: z.coerce.number().nullable(),
  /** Kind of the step, as the runbook of its run names it. */
  uses: z.string().nullable(),
  result: z.string().nullable(),
  durationMs: z.coerce.number().nullable(),
});
export type RunMoment = z.infer<typeof Moment>;

/** The types of events that are read. */
const types = [
  'RunOpened',
  'RunClosed',
  'GateOpened',
  'GateSpent',
  'GateRefused',
  'GateExpired',
  'GateCancelled',
  'GateVoided',
  'ApprovalNotConfirmed',
  'StopRequested',
  'RunResumed',
  'StepFinished',
];

/**
 * Reads the moments of all runs in a stretch of the journal, oldest first. It takes only the few fields that it
 * needs, so that an event of a newer release does not stop the metrics.
 * @param after a position that has been read
 * @param upTo a position that has been appended
 * @param stepsAfter steps that ended up to here are left out: their kinds would cost a look at their runbook each
 */
export async function readRunMoments(
  pool: Pick<pg.Pool, 'query'>,
  after: number,
  upTo: number,
  stepsAfter: number,
): Promise<RunMoment[]> {
  const { rows } = await pool.query(
    `SELECT event.position, split_part(event.stream, ':', 2) AS run, event.type, event.at,
            event.data ->> 'outcome' AS outcome, event.data ->> 'gate' AS gate, event.data ->> 'result' AS result,
            event.data ->> 'durationMs' AS "durationMs", step.uses
       FROM m10bot.events AS event
       LEFT JOIN LATERAL (
         SELECT jsonb_path_query_first(opened.data -> 'runbook',
                  (CASE event.data -> 'block' ->> 'kind'
                     WHEN 'phase' THEN '$.phases[*] ? (@.id == $block)'
                     WHEN 'operation' THEN '$.operations[*] ? (@.id == $block)'
                     ELSE '$.rollback' END || '.steps[*] ? (@.id == $step).uses')::jsonpath,
                  jsonb_build_object('block', event.data -> 'block' -> 'id', 'step', event.data -> 'step'),
                  true) #>> '{}' AS uses
           FROM m10bot.events AS opened
          WHERE event.type = 'StepFinished' AND event.position > $4
            AND opened.stream = event.stream AND opened.version = 1
       ) AS step ON true
      WHERE event.position > $1 AND event.position <= $2
        AND starts_with(event.stream, 'run:') AND event.type = ANY ($3)
        AND (event.type <> 'StepFinished' OR event.position > $4)
      ORDER BY event.position`,
    [after, upTo, types, stepsAfter],
  );
  return z.array(Moment).parse(rows);
}
