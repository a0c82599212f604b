import { also, boolean, list, object, oneOf, problem, type Rule, text, typed, url } from './rules.js';

/** A plain_text object of at most `max` characters. */
export function plainText(max: number): Rule {
  return typed({ plain_text: object({ type: oneOf('plain_text'), text: text(max), 'emoji?': boolean }) });
}

/** A plain_text or mrkdwn object of at most `max` characters. */
export function anyText(max: number): Rule {
  return typed({
    plain_text: object({ type: oneOf('plain_text'), text: text(max), 'emoji?': boolean }),
    mrkdwn: object({ type: oneOf('mrkdwn'), text: text(max), 'verbatim?': boolean }),
  });
}

/** A mrkdwn object of at most `max` characters. */
export function mrkdwn(max: number): Rule {
  return typed({ mrkdwn: object({ type: oneOf('mrkdwn'), text: text(max), 'verbatim?': boolean }) });
}

/** A confirm dialog: title 100, text 300, each button 30 characters. */
export const confirm: Rule = object({
  title: plainText(100),
  text: anyText(300),
  confirm: plainText(30),
  deny: plainText(30),
  'style?': oneOf('primary', 'danger'),
});

/** An option of a menu, a radio group or checkboxes. */
export function option(label: Rule): Rule {
  return object({ text: label, value: text(150), 'description?': anyText(75), 'url?': url });
}

/** Where an image comes from: a public address or a file of the workspace, one of the two. */
export function image(fields: Readonly<Record<string, Rule>>): Rule {
  return also(
    object({
      ...fields,
      'image_url?': url,
      'slack_file?': object({ 'id?': text(255), 'url?': url }),
      alt_text: text(2000),
    }),
    (value, at, out) => {
      if ((value.image_url === undefined) === (value.slack_file === undefined)) {
        problem(out, at, 'must provide either image_url or slack_file');
      }
    },
  );
}

/** Conversation filter of a select menu. */
export const conversationFilter: Rule = object({
  'include?': list(oneOf('im', 'mpim', 'private', 'public'), 4),
  'exclude_external_shared_channels?': boolean,
  'exclude_bot_users?': boolean,
});

/** When an input sends an action while somebody types. */
export const dispatchActionConfig: Rule = object({
  'trigger_actions_on?': list(oneOf('on_enter_pressed', 'on_character_entered'), 2),
});
