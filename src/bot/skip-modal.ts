import type { View } from '@slack/web-api';
import { MAX_REASON } from '../commands/parse-words.js';
import { cutText } from './render/limits.js';
import type { PromptValue } from './render/prompt-value.js';
import { writePromptValue } from './render/prompt-value.js';

/** The modal's callback id, and where its one answer stands. */
export const SKIP_MODAL = 'run_skip_reason';
export const REASON_BLOCK = 'reason';
const REASON_INPUT = 'reason_text';

/** Asks why a step shall be skipped. It is whole from the start, so that it opens while its trigger lives. */
export function skipModal(value: PromptValue): View {
  return {
    type: 'modal',
    callback_id: SKIP_MODAL,
    private_metadata: writePromptValue(value),
    title: { type: 'plain_text', text: 'Skip a step' },
    submit: { type: 'plain_text', text: 'Ask to skip' },
    close: { type: 'plain_text', text: 'Not now' },
    blocks: [
      {
        type: 'section',
        text: {
          type: 'plain_text',
          text: cutText(
            `Run ${value.run} goes on without step ${value.step}, once a second person has approved that.`,
            2_900,
          ),
        },
      },
      {
        type: 'input',
        block_id: REASON_BLOCK,
        label: { type: 'plain_text', text: 'Reason, for the record' },
        element: {
          type: 'plain_text_input',
          action_id: REASON_INPUT,
          multiline: true,
          min_length: 1,
          max_length: MAX_REASON,
          focus_on_load: true,
        },
      },
    ],
  };
}

/** The reason that was typed into the modal, on one line; empty when there is none. */
export function skipReason(
  values: Readonly<Record<string, Readonly<Record<string, { readonly value?: string | null | undefined }>>>>,
): string {
  const typed = values[REASON_BLOCK]?.[REASON_INPUT]?.value ?? '';
  return typed.replace(/\s+/g, ' ').trim().slice(0, MAX_REASON);
}

/** Says in the modal that its question is no longer open. */
export function staleModal(why: string): View {
  return {
    type: 'modal',
    title: { type: 'plain_text', text: 'Skip a step' },
    close: { type: 'plain_text', text: 'Close' },
    blocks: [
      {
        type: 'section',
        text: {
          type: 'plain_text',
          text: cutText(`${why.replaceAll('`', '')} Nothing is asked for.`, 2_900),
        },
      },
    ],
  };
}
