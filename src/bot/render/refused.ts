import type { EventOf } from '../../runbook/events.js';
import { code, person, refusalWords } from './escape.js';
import { cutText } from './limits.js';
import { message, type Rendered, section } from './message.js';
import { sentence } from './words.js';

/** A command that was not carried out: who ran what, why not, and what is possible instead. */
export function renderRefused(event: EventOf<'CommandRefused'>): Rendered {
  return refusal(`${person(event.by)} ran ${shown(event.command)}; it was not done.`, event);
}

/** The same as the answer to the person who ran it. */
export function renderRefusal(refused: {
  readonly reason?: string;
  readonly command: string;
  readonly why: string;
  readonly instead: string;
}): Rendered {
  return refusal(`${shown(refused.command)} was not done.`, { ...refused, code: refused.reason });
}

const shown = (command: string) => code(cutText(command, 200)) || 'The command';

function refusal(
  what: string,
  { why, instead, code: kind }: { why: string; instead: string; code?: string | undefined },
): Rendered {
  const because = sentence(refusalWords(cutText(why, 1_200), kind));
  const possible = instead === '' ? '' : refusalWords(cutText(instead, 1_200), kind);
  return message([what, because, possible].filter((part) => part !== '').join(' '), [
    section([`${what} ${because}`, possible].filter((part) => part !== '').join('\n')),
  ]);
}
