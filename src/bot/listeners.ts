import type { App, BlockButtonAction } from '@slack/bolt';
import type { WebClient } from '@slack/web-api';
import type { Board } from '../commands/board.js';
import { type ParsedCommand, parse } from '../commands/parse.js';
import { staleBecause } from './buttons.js';
import type { Intake } from './intake.js';
import { type Log, messageOf } from './log.js';
import type { createLooks } from './looks.js';
import { promptActionOf, readPromptValue } from './render/prompt-value.js';
import { REASON_BLOCK, SKIP_MODAL, skipModal, staleModal } from './skip-modal.js';

/** Looks whose answer comes later, into the channel. */
function isShownToAll(command: ParsedCommand): boolean {
  if ('verb' in command) return command.verb === 'show' || command.verb === 'log';
  return command.name === 'audit' || command.name === 'plan';
}

/**
 * What happens within Slack's three seconds: acknowledging, answering looks, opening the modal. Everything
 * that has an effect is in the inbox by then and is done from there.
 */
export function addListeners(
  app: App,
  deps: {
    readonly intake: Intake;
    readonly looks: ReturnType<typeof createLooks>;
    readonly board: Board;
    readonly client: WebClient;
    readonly operators: readonly string[];
    readonly incidentChannel: string;
    readonly log: Log;
  },
): void {
  const { intake, log } = deps;

  app.command('/m10', async ({ ack, body }) => {
    const received = intake.of(body);
    if (received === undefined) {
      await ack({ response_type: 'ephemeral', text: 'That command could not be read. Say it again.' });
      return;
    }
    const { look } = received.arrival;
    if (look !== null) {
      const { response_type, text, blocks } = await deps.looks(look, body.user_id, received.head);
      await ack({ response_type, text, blocks: [...blocks] });
      return;
    }
    // Slack then shows the channel who looks, and what they typed.
    const parsed = parse(body.text);
    const shown =
      parsed.kind === 'command' && isShownToAll(parsed.command) && body.channel_id === deps.incidentChannel;
    await (shown ? ack({ response_type: 'in_channel' }) : ack());
  });

  app.action<BlockButtonAction>(/^run_/, async ({ ack, body, action }) => {
    const value = action.value ?? '';
    const opens = promptActionOf(action.action_id) === 'skip' && deps.operators.includes(body.user.id);
    // The trigger lives for three seconds: the modal is opened before anything is looked up.
    const modal = opens ? openModal(value, body.trigger_id) : null;
    await ack();
    await modal;
  });

  async function openModal(text: string, trigger_id: string): Promise<void> {
    const value = readPromptValue(text);
    if (value === null) return;
    try {
      const { view } = await deps.client.views.open({ trigger_id, view: skipModal(value) });
      const old = staleBecause(await deps.board.now(), value, 'skip');
      if (old === null || view?.id === undefined) return;
      const { hash } = view;
      await deps.client.views.update({
        view_id: view.id,
        ...(hash === undefined ? {} : { hash }),
        view: staleModal(old),
      });
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'the modal for a reason could not be shown');
    }
  }

  app.view(SKIP_MODAL, async ({ ack, body }) => {
    if (intake.of(body) !== undefined) await ack();
    else {
      await ack({
        response_action: 'errors',
        errors: { [REASON_BLOCK]: 'A skip needs a reason, for the record.' },
      });
    }
  });
}
