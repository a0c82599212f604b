import {
  anyText,
  confirm,
  conversationFilter,
  dispatchActionConfig,
  image,
  option,
  plainText,
} from './compositions.js';
import { richText } from './rich-text.js';
import {
  also,
  anything,
  boolean,
  integer,
  list,
  object,
  oneOf,
  problem,
  type Rule,
  text,
  url,
} from './rules.js';

const actionId = { 'action_id?': text(255) };
const focus = { 'focus_on_load?': boolean };
const placeholder = { 'placeholder?': plainText(150) };
const menu = { ...actionId, ...focus, ...placeholder, 'confirm?': confirm };
const many = { 'max_selected_items?': integer(1, 1000) };
const choice = option(plainText(75));
const choices = list(choice, 100);
const tick = option(anyText(75));
const groups = list(object({ label: plainText(75), options: choices }), 100);
const date: Rule = (value, at, out) => {
  if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}$/.test(value)) {
    problem(out, at, 'must be a date in the form YYYY-MM-DD');
  }
};
const ids = list(text(255), 100, 0);

function element(type: string, fields: Readonly<Record<string, Rule>>): Rule {
  return object({ type: oneOf(type), ...fields });
}

/** Static menus take options or groups of options, never both and never neither. */
function staticMenu(type: string, fields: Readonly<Record<string, Rule>>): Rule {
  return also(
    element(type, { ...menu, ...fields, 'options?': choices, 'option_groups?': groups }),
    (value, at, out) => {
      if ((value.options === undefined) === (value.option_groups === undefined)) {
        problem(out, at, 'must provide either options or option_groups');
      }
    },
  );
}

const typing = { ...actionId, ...focus, ...placeholder, 'dispatch_action_config?': dispatchActionConfig };

/** The elements that can be pressed, picked or shown beside text. */
export const elements = {
  button: element('button', {
    ...actionId,
    text: plainText(75),
    'url?': url,
    'value?': text(2000),
    'style?': oneOf('primary', 'danger'),
    'confirm?': confirm,
    'accessibility_label?': text(75),
  }),
  image: image({ type: oneOf('image') }),
  static_select: staticMenu('static_select', { 'initial_option?': choice }),
  multi_static_select: staticMenu('multi_static_select', { ...many, 'initial_options?': choices }),
  external_select: element('external_select', {
    ...menu,
    'initial_option?': choice,
    'min_query_length?': integer(0, 1000),
  }),
  multi_external_select: element('multi_external_select', {
    ...menu,
    ...many,
    'initial_options?': choices,
    'min_query_length?': integer(0, 1000),
  }),
  users_select: element('users_select', { ...menu, 'initial_user?': text(255) }),
  multi_users_select: element('multi_users_select', { ...menu, ...many, 'initial_users?': ids }),
  channels_select: element('channels_select', {
    ...menu,
    'initial_channel?': text(255),
    'response_url_enabled?': boolean,
  }),
  multi_channels_select: element('multi_channels_select', { ...menu, ...many, 'initial_channels?': ids }),
  conversations_select: element('conversations_select', {
    ...menu,
    'initial_conversation?': text(255),
    'default_to_current_conversation?': boolean,
    'response_url_enabled?': boolean,
    'filter?': conversationFilter,
  }),
  multi_conversations_select: element('multi_conversations_select', {
    ...menu,
    ...many,
    'initial_conversations?': ids,
    'default_to_current_conversation?': boolean,
    'filter?': conversationFilter,
  }),
  overflow: element('overflow', { ...actionId, options: list(choice, 5), 'confirm?': confirm }),
  datepicker: element('datepicker', { ...menu, 'initial_date?': date }),
  timepicker: element('timepicker', { ...menu, 'initial_time?': text(5), 'timezone?': text(100) }),
  datetimepicker: element('datetimepicker', {
    ...actionId,
    ...focus,
    'initial_date_time?': integer(0, 9_999_999_999),
    'confirm?': confirm,
  }),
  radio_buttons: element('radio_buttons', {
    ...actionId,
    ...focus,
    options: list(tick, 10),
    'initial_option?': tick,
    'confirm?': confirm,
  }),
  checkboxes: element('checkboxes', {
    ...actionId,
    ...focus,
    options: list(tick, 10),
    'initial_options?': list(tick, 10),
    'confirm?': confirm,
  }),
  plain_text_input: element('plain_text_input', {
    ...typing,
    'initial_value?': text(3000, 0),
    'multiline?': boolean,
    'min_length?': integer(0, 3000),
    'max_length?': integer(1, 3000),
  }),
  number_input: element('number_input', {
    ...typing,
    is_decimal_allowed: boolean,
    'initial_value?': text(100),
    'min_value?': text(100),
    'max_value?': text(100),
  }),
  email_text_input: element('email_text_input', { ...typing, 'initial_value?': text(3000) }),
  url_text_input: element('url_text_input', { ...typing, 'initial_value?': url }),
  rich_text_input: element('rich_text_input', { ...typing, 'initial_value?': richText({}) }),
  file_input: element('file_input', {
    ...actionId,
    'filetypes?': list(text(50), 100),
    'max_files?': integer(1, 10),
  }),
  workflow_button: element('workflow_button', {
    ...actionId,
    text: plainText(75),
    workflow: anything,
    'style?': oneOf('primary', 'danger'),
    'accessibility_label?': text(75),
  }),
  feedback_buttons: element('feedback_buttons', {
    ...actionId,
    positive_button: object({ text: plainText(75), value: text(2000), 'accessibility_label?': text(75) }),
    negative_button: object({ text: plainText(75), value: text(2000), 'accessibility_label?': text(75) }),
  }),
  icon_button: element('icon_button', {
    ...actionId,
    icon: oneOf('trash'),
    text: plainText(75),
    'value?': text(2000),
    'visible_to_user_ids?': ids,
    'accessibility_label?': text(75),
    'confirm?': confirm,
  }),
} as const satisfies Record<string, Rule>;

/** Picks some of the elements, for a block that takes only these. */
export function only(...names: (keyof typeof elements)[]): Record<string, Rule> {
  return Object.fromEntries(names.map((name) => [name, elements[name]]));
}

const menus = [
  'static_select',
  'multi_static_select',
  'external_select',
  'multi_external_select',
  'users_select',
  'multi_users_select',
  'channels_select',
  'multi_channels_select',
  'conversations_select',
  'multi_conversations_select',
] as const;
const pickers = ['checkboxes', 'radio_buttons', 'datepicker', 'timepicker'] as const;

/** What an actions block may hold. */
export const actionElements = only(
  'button',
  'overflow',
  'datetimepicker',
  'workflow_button',
  'rich_text_input',
  ...menus,
  ...pickers,
);

/** What may stand beside a section's text. */
export const accessories = only('button', 'image', 'overflow', 'workflow_button', ...menus, ...pickers);

/** What an input block may hold. */
export const inputs = only(
  'plain_text_input',
  'number_input',
  'email_text_input',
  'url_text_input',
  'rich_text_input',
  'file_input',
  'datetimepicker',
  ...menus,
  ...pickers,
);
