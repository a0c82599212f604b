import { createHash } from 'node:crypto';
import { z } from 'zod';
import { withM10Streams } from '../checks/m10/session.js';
import { failed, passed } from '../checks/outcome.js';
import {
  findDeadLetter,
  type KnownReplay,
  replayDeadLetter,
  type ShownLetter,
  wasReplayed,
} from '../clients/m10/replay.js';
import { isMessageId, streamNames } from '../clients/m10/stream-names.js';
import { readSessionsByName } from '../clients/postgres/activity.js';
import type { TargetConfig } from '../config.js';
import {
  defineKind,
  type Outcome,
  type Probe,
  type StepContext,
  type StepKind,
} from '../runbook/step-kind.js';
import { refused, utc } from './m10/words.js';

const Args = z.strictObject({
  /** Id of the dead letter, or of the message that it was. */
  message: z.string().refine(isMessageId, 'expected the id of a stream entry, such as 1765000000000-0'),
});
type Args = z.infer<typeof Args>;

/** Puts one dead letter back into the main stream, once. */
export function deadLetterReplay(): StepKind<TargetConfig> {
  return defineKind({
    name: 'dead-letter.replay',
    changes: true,
    args: Args,
    describe: ({ message }, { target }) => ({
      words: `Put the dead letter ${message} of ${target.name} back into ${streamNames.main}, where the workers take it up as a new message. It is archived first and recorded in the replay log; a message that was put back once is not put back again.`,
      commands: [
        `SELECT m10_recovery.record_replay(…); -- claims ${message} in the replay log`,
        `XADD ${streamNames.main} * …  # its own fields, with a marker, in one script; the original is acknowledged`,
      ],
    }),
    async survey(args, { target }) {
      const read = await withM10Streams(target, { applicationName: 'm10bot:survey' }, (database, redis) =>
        findDeadLetter({ database, redis, message: args.message }),
      );
      if (read.kind === 'no') return { kind: 'failed', why: `${read.why} ${read.instead}` };
      const letter = read.value;
      if (letter === null)
        return { kind: 'failed', why: `${target.name} has no dead letter ${args.message}` };
      if (letter.unfit !== null) return { kind: 'failed', why: `it cannot be put back: ${letter.unfit}` };
      if (letter.replayed !== null) return { kind: 'failed', why: sayKnown(args.message, letter.replayed) };
      return {
        kind: 'surveyed',
        parts: {
          'dead letter': letter.deadLetter,
          message: letter.original ?? 'not named',
          content: createHash('sha256').update(letter.excerpt).digest('hex'),
        },
        sql: [],
        // One text: several would be sorted.
        warnings: [sayLetter(letter).join(' ')],
      };
    },
    run: replay,
    probe: whatBecame,
  });
}

/** What an approver must know of the message. */
function sayLetter(letter: ShownLetter): string[] {
  const { original, candidateId, reason, reclaimCount, deadLetteredAt, where, excerpt } = letter;
  const lines = [
    `It was message ${original}${candidateId === null ? '' : ` of candidate ${candidateId}`}${deadLetteredAt === null ? '' : `, given up at ${utc(deadLetteredAt)}`}${reclaimCount === null ? '' : ` after ${reclaimCount} reclaims`}.`,
    `Reason: ${reason ?? 'none was noted'}.`,
    `It holds: ${excerpt.replaceAll('\n', '; ')}.`,
    'What made it fail fails it again unless that was put right.',
  ];
  if (where === 'archive') lines.push('It was trimmed from the stream: it is put back from the archive.');
  return lines;
}

function sayKnown(message: string, { newId, at, by }: KnownReplay): string {
  return `${message} was put back already${newId === null ? '' : `, as ${newId}`}${at === null ? '' : `, at ${utc(at)}`}${by === null ? '' : `, by ${by}`}; a message is put back once`;
}

async function replay(args: Args, context: StepContext<TargetConfig>): Promise<Outcome> {
  const { target, applicationName, requester } = context;
  const { message } = args;
  const done = await withM10Streams(target, { applicationName }, (database, redis) =>
    replayDeadLetter({ database, redis, message, by: requester }),
  );
  if (done.kind === 'no') return refused(`the replay of ${message} on ${target.name}`, done);
  const result = done.value;
  switch (result.kind) {
    case 'replayed': {
      const { original, deadLetter, newId, noted } = result;
      const log = noted ? '' : '; its new id is not in the replay log yet, dl-reconcile notes it';
      return passed(
        `the dead letter ${deadLetter} of ${target.name} is back in ${streamNames.main} as ${newId}${log}`,
        {
          data: { original, deadLetter, newId },
        },
      );
    }
    case 'already':
      return failed(sayKnown(message, result));
    case 'not-found':
      return failed(`${target.name} has no dead letter ${message} any more; nothing was put back`);
    case 'unfit':
      return failed(`${message} cannot be put back: ${result.why}`);
  }
}

async function whatBecame(args: Args, context: StepContext<TargetConfig>): Promise<Probe> {
  const { target, applicationName, startedAt } = context;
  const { message } = args;
  const read = await withM10Streams(target, { applicationName: 'm10bot:probe' }, async (database, redis) => ({
    sessions: await readSessionsByName(database, applicationName),
    known: await wasReplayed({ database, redis, message }),
  }));
  if (read.kind === 'no') return { kind: 'unknown', evidence: read.why };
  const { sessions, known } = read.value;
  const session = sessions.find((s) => s.applicationName === applicationName);
  if (session !== undefined)
    return { kind: 'running', evidence: `its session ${session.pid} is still there` };
  switch (known.kind) {
    case 'replayed': {
      const back = `the dead letter ${message} of ${target.name} is back in ${streamNames.main}${known.newId === null ? '' : ` as ${known.newId}`}`;
      return { kind: 'done', outcome: passed(back) };
    }
    case 'not-replayed':
      return { kind: 'not_done', evidence: 'it was not put back' };
    case 'not-found':
      return {
        kind: 'unknown',
        evidence: `since ${utc(startedAt)} the dead letter is gone, and no replay of it is known`,
      };
  }
}
