import {
  anything,
  boolean,
  type Fields,
  integer,
  list,
  object,
  oneOf,
  type Rule,
  text,
  typed,
  url,
} from './rules.js';

// A message's own limit on characters comes first; these only keep the shapes finite.
const ANY_LENGTH = 40_000;
const MANY = 1000;

const style = object({
  'bold?': boolean,
  'italic?': boolean,
  'strike?': boolean,
  'code?': boolean,
  'underline?': boolean,
  'highlight?': boolean,
  'client_highlight?': boolean,
  'unlink?': boolean,
});

function inline(type: string, fields: Fields): Rule {
  return object({ type: oneOf(type), ...fields, 'style?': style });
}

const plain = inline('text', { text: text(ANY_LENGTH) });
const link = inline('link', { url, 'text?': text(ANY_LENGTH), 'unsafe?': boolean });

const inlines = typed({
  text: plain,
  link,
  emoji: inline('emoji', {
    name: text(100),
    'unicode?': text(100),
    'skin_tone?': integer(1, 6),
    'url?': url,
    'display_name?': text(100),
  }),
  user: inline('user', { user_id: text(255) }),
  usergroup: inline('usergroup', { usergroup_id: text(255) }),
  team: inline('team', { team_id: text(255) }),
  channel: inline('channel', { channel_id: text(255) }),
  broadcast: inline('broadcast', { range: oneOf('here', 'channel', 'everyone') }),
  color: inline('color', { value: text(100) }),
  date: inline('date', {
    timestamp: integer(0, 9_999_999_999),
    format: text(1000),
    'url?': url,
    'fallback?': text(1000),
  }),
});

const section = object({ type: oneOf('rich_text_section'), elements: list(inlines, MANY, 0) });

const parts = typed({
  rich_text_section: section,
  rich_text_list: object({
    type: oneOf('rich_text_list'),
    style: oneOf('bullet', 'ordered'),
    elements: list(typed({ rich_text_section: section }), MANY),
    'indent?': integer(0, 8),
    'offset?': integer(0, MANY),
    'border?': integer(0, 1),
  }),
  rich_text_quote: object({
    type: oneOf('rich_text_quote'),
    elements: list(inlines, MANY),
    'border?': integer(0, 1),
  }),
  // Preformatted text has no mentions and no emoji: text and links only.
  rich_text_preformatted: object({
    type: oneOf('rich_text_preformatted'),
    elements: list(typed({ text: plain, link }), MANY),
    'border?': integer(0, 1),
    'language?': text(100),
  }),
});

/** A rich_text block. `fields` are those that every block has. */
export function richText(fields: Fields): Rule {
  return object({ type: oneOf('rich_text'), ...fields, elements: list(parts, MANY) });
}

/** A cell of a table. */
export const cell: Rule = typed({
  rich_text: richText({ 'block_id?': text(255) }),
  raw_text: object({ type: oneOf('raw_text'), text: text(ANY_LENGTH, 0) }),
  raw_number: object({ type: oneOf('raw_number'), value: anything, 'text?': text(ANY_LENGTH, 0) }),
});
