import { visible } from './escape.js';
import { CUT, cutMrkdwn, cutText, LIMITS } from './limits.js';

/** The blocks that this bot's messages are made of. */
export type Block =
  | { readonly type: 'header'; readonly text: PlainText }
  | { readonly type: 'section'; readonly text: Mrkdwn }
  | { readonly type: 'context'; readonly elements: readonly Mrkdwn[] }
  | { readonly type: 'divider' }
  | { readonly type: 'actions'; readonly block_id: string; readonly elements: readonly Button[] }
  | { readonly type: 'rich_text'; readonly elements: readonly Preformatted[] };

interface PlainText {
  readonly type: 'plain_text';
  readonly text: string;
}
interface Mrkdwn {
  readonly type: 'mrkdwn';
  readonly text: string;
  /** Nothing in the text becomes a link or a mention by itself. */
  readonly verbatim: true;
}
interface Preformatted {
  readonly type: 'rich_text_preformatted';
  readonly elements: readonly { readonly type: 'text'; readonly text: string }[];
}
export interface Button {
  readonly type: 'button';
  readonly action_id: string;
  readonly text: PlainText;
  readonly value: string;
  readonly style?: 'primary' | 'danger';
  readonly confirm: {
    readonly title: PlainText;
    readonly text: PlainText;
    readonly confirm: PlainText;
    readonly deny: PlainText;
  };
}

/** A message as chat.postMessage and chat.update take it; `text` is what notifications and readers say. */
export interface Rendered {
  readonly text: string;
  readonly blocks: readonly Block[];
}

const plainText = (text: string, max: number): PlainText => ({
  type: 'plain_text',
  text: cutText(visible(text), max) || '–',
});

const mrkdwn = (text: string, max: number, note?: string): Mrkdwn => ({
  type: 'mrkdwn',
  text: cutMrkdwn(text, max, note) || '–',
  verbatim: true,
});

/** A title. It is plain text, so nothing in it is escaped. */
export function header(text: string): Block {
  return { type: 'header', text: plainText(text.replace(/\s+/g, ' '), LIMITS.header) };
}

/** A paragraph of mrkdwn whose dynamic parts are escaped already. */
export function section(text: string, note?: string): Block {
  return { type: 'section', text: mrkdwn(text, LIMITS.section, note) };
}

/** Small print: up to ten pieces of mrkdwn. */
export function context(...texts: readonly string[]): Block {
  const elements = texts.slice(0, LIMITS.contextElements).map((text) => mrkdwn(text, LIMITS.context));
  return { type: 'context', elements };
}

export const divider: Block = { type: 'divider' };

/** Output and commands: the only place where text stays exactly as it is, backticks and all. */
export function preformatted(text: string): Block {
  const shown = visible(text).replace(/^\n+|\s+$/g, '') || '(empty)';
  return {
    type: 'rich_text',
    elements: [{ type: 'rich_text_preformatted', elements: [{ type: 'text', text: shown }] }],
  };
}

export function button(spec: {
  action: string;
  label: string;
  value: string;
  style?: 'primary' | 'danger';
  confirm: { title: string; text: string; yes: string; no: string };
}): Button {
  const { confirm } = spec;
  return {
    type: 'button',
    action_id: spec.action,
    text: plainText(spec.label, LIMITS.button),
    value: spec.value,
    ...(spec.style === undefined ? {} : { style: spec.style }),
    confirm: {
      title: plainText(confirm.title, LIMITS.confirmTitle),
      text: plainText(confirm.text, LIMITS.confirmText),
      confirm: plainText(confirm.yes, LIMITS.confirmButton),
      deny: plainText(confirm.no, LIMITS.confirmButton),
    },
  };
}

export function actions(blockId: string, elements: readonly Button[]): Block {
  return { type: 'actions', block_id: blockId, elements };
}

/** Characters of a block that people read. */
export function lengthOf(block: Block): number {
  switch (block.type) {
    case 'header':
    case 'section':
      return block.text.text.length;
    case 'context':
      return block.elements.reduce((sum, e) => sum + e.text.length, 0);
    case 'divider':
      return 0;
    case 'actions':
      return block.elements.reduce((sum, e) => sum + e.text.text.length + 500, 0);
    case 'rich_text':
      return block.elements.reduce((sum, p) => sum + p.elements.reduce((n, e) => n + e.text.length, 0), 0);
  }
}

/**
 * Puts a message together within Slack's limits. What must not be lost (how to answer, buttons) goes in
 * `tail`, for which room is kept; of `body`, blocks that do not fit are left out from the end, with a note.
 */
export function message(text: string, body: readonly Block[], tail: readonly Block[] = []): Rendered {
  const note = context(`${CUT} The rest did not fit into this message.`);
  const reserved = tail.length + 1;
  let room = LIMITS.characters - [...tail, note].reduce((sum, b) => sum + lengthOf(b), 0);
  const kept: Block[] = [];
  for (const block of body) {
    const length = lengthOf(block);
    if (length > room || kept.length + reserved >= LIMITS.blocks) {
      kept.push(note);
      break;
    }
    kept.push(block);
    room -= length;
  }
  return { text: cutMrkdwn(text, LIMITS.text), blocks: [...kept, ...tail] };
}

/** The same without blocks: for when Slack takes them no longer. */
export function withoutBlocks(rendered: Rendered): Rendered {
  return { text: rendered.text, blocks: [] };
}
