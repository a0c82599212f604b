import { code, line } from '../render/escape.js';
import { message, type Rendered, section, withoutBlocks } from '../render/message.js';
import { aboutKey } from './place-names.js';

/** A message in one of the forms in which Slack is asked to take it. */
export interface Form {
  readonly shown: Rendered;
  /** It says no more than that there was something to say. */
  readonly stub: boolean;
}

/**
 * The next plainer form of a message; undefined after the plainest. That last one is so plain that Slack's no to
 * it is no longer about the form, whatever the code says.
 */
export function plainer(form: Form, key: string, reason: string): Form | undefined {
  if (form.stub) return undefined;
  if (form.shown.blocks.length > 0) return { shown: withoutBlocks(form.shown), stub: false };
  const text = `A message about ${aboutKey(key)} cannot be shown: Slack refused it (${line(reason)}). The journal has it: ${code('m10bot audit export')}.`;
  return { shown: { text, blocks: [] }, stub: true };
}

/** A reply without its thread, for the channel: it says what it belongs to. */
export function outOfThread(shown: Rendered, parent: string): Rendered {
  const lead = `About ${aboutKey(parent)}, whose thread Slack does not take replies in:`;
  if (shown.blocks.length === 0) return { text: `${lead}\n${shown.text}`, blocks: [] };
  return message(`${lead} ${shown.text}`, [section(lead), ...shown.blocks]);
}
