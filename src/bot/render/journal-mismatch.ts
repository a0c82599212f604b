import type { EventOf } from '../../runbook/events.js';
import { code } from './escape.js';
import { message, type Rendered, section } from './message.js';

/** The journal is not the one whose head was noted outside the database: told in the channel. */
export function renderJournalMismatch(event: EventOf<'JournalMismatch'>): Rendered {
  const where =
    event.place === 'file' ? `${code('heads.jsonl')} in the state directory` : 'an earlier message here';
  const now =
    event.found === null
      ? `the journal ends at position ${event.end}: its tail is missing`
      : `the journal has ${code(event.found)} there: it was rewritten`;
  const head = `⛔ The journal was changed: ${where} has ${code(event.noted)} at position ${event.position}, and ${now}.`;
  const means =
    'Approvals and results since then cannot be relied on. A state database that was restored or replaced looks the same.';
  const next = `Approve nothing until it is explained. Find out who can write to the state database, and compare with ${code('m10bot audit verify')}. Once people have looked, ${code('m10bot audit accept REASON')} on the bot's host takes the journal as it is.`;
  return message(`${head} ${means} ${next}`, [section(`*${head}*\n${means}`), section(next)]);
}
