import type { M10Port } from '../runbook/jobs/m10-port.js';
import { type Refusal, refuse } from '../runbook/refusal.js';
import type { CommandContext } from './context.js';
import { noAnswer, notAllowed } from './m10-refusals.js';
import { openBeside } from './open-beside.js';
import type { Reply } from './reply.js';

const hourMs = 3_600_000;

/** Counts what a clean-up would delete, and asks a second person for exactly that. */
export async function cleanupReplays(
  context: CommandContext,
  m10: M10Port,
  said: string,
  olderThanMs: number,
): Promise<Reply | Refusal> {
  const no = notAllowed(context, 'ask for a clean-up of the replay log');
  if (no !== null) return no;
  const read = await m10.countReplays(olderThanMs);
  if (read.kind === 'no') return noAnswer(read);
  const { before, count } = read.value;
  const age = spokenAge(olderThanMs);
  if (count === 0) {
    return refuse(
      'nothing_left',
      `The replay log of ${m10.target} has no entry older than ${age}.`,
      '`/m10 replays` shows its oldest one.',
    );
  }
  const entries = `${count.toLocaleString('en')} ${count === 1 ? 'entry' : 'entries'}`;
  return openBeside(context, said, `deleting ${entries} older than ${age}`, {
    id: 'replays-cleanup',
    step: 'clean-up',
    title: `Delete ${entries} of the replay log, older than ${age}`,
    on: m10.target,
    uses: 'replays.cleanup',
    with: { before: new Date(before).toISOString() },
    timeout: hourMs,
    onFailure: 'What was deleted stays deleted, and a retry goes on with the rest.',
  });
}

/** Asks a second person to put a dead letter back. */
export async function replay(
  context: CommandContext,
  m10: M10Port,
  said: string,
  message: string,
): Promise<Reply | Refusal> {
  const no = notAllowed(context, 'ask for a replay');
  if (no !== null) return no;
  const read = await m10.deadLetter(message);
  if (read.kind === 'no') return noAnswer(read);
  const letter = read.value;
  if (letter === null) {
    return refuse(
      'unknown_message',
      `${m10.target} has no dead letter ${message}, neither in the stream nor in the archive.`,
      'Name the id of the dead letter, or of the message that it was.',
    );
  }
  if (letter.unfit !== null) {
    return refuse('nothing_left', `The dead letter ${message} cannot be put back: ${letter.unfit}.`);
  }
  if (letter.replayed !== null) {
    return refuse(
      'nothing_left',
      `The dead letter ${message} was ${letter.replayed}. A message is put back once.`,
    );
  }
  return openBeside(context, said, `putting ${message} back`, {
    id: 'replay',
    step: 'replay',
    title: `Put the dead letter ${letter.deadLetter} back`,
    on: m10.target,
    uses: 'dead-letter.replay',
    with: { message: letter.deadLetter },
    timeout: 120_000,
    onFailure: 'A message is put back once, however often this is tried.',
  });
}

function spokenAge(ms: number): string {
  const hours = Math.floor(ms / hourMs);
  if (hours % 24 !== 0) return `${hours} hours`;
  return hours === 24 ? '1 day' : `${hours / 24} days`;
}
