import { NotLookedUp } from '../commands/as-operator.js';
import { type CommandDeps, contextFor } from '../commands/context.js';
import { parse } from '../commands/parse.js';
import type { Reply } from '../commands/reply.js';
import { runCommand } from '../commands/run-command.js';
import type { InboxItem } from '../store/inbox.js';
import type { Answer, Asker } from './answers.js';
import { pressButton } from './buttons.js';
import { Inbound } from './inbound.js';
import type { Reactions } from './reactions.js';
import { promptActionOf } from './render/prompt-value.js';
import { fileOf, renderReply } from './render/replies.js';

/** Looks are for the whole channel; receipts and refusals for the person, as the journal tells the channel. */
const seenByAll: ReadonlySet<Reply['kind']> = new Set([
  'audit',
  'status',
  'jobs',
  'jobs-log',
  'locks',
  'outbox',
  'replays',
]);

export interface ItemHandler {
  handle(item: InboxItem): Promise<void>;
  /** Tells the person that their request was given up. */
  onDead(item: InboxItem, error: unknown): Promise<void>;
}

/** What a person is told of a request that failed at every try. */
function givenUp(error: unknown): { readonly why: string; readonly instead: string } {
  const instead = 'Look at `/m10 status` before you say it again.';
  if (!(error instanceof NotLookedUp)) {
    return { why: 'It failed several times inside the bot; its log says why.', instead };
  }
  return {
    why: `Slack was asked several times who you are and gave no answer (${error.message}). Nothing was done.`,
    instead: 'Say it again once Slack answers. Stopping (`/m10 stop`, `/m10 jobs pause`) works without.',
  };
}

/** Carries out what was delivered and stored. */
export function createItemHandler(deps: {
  readonly commands: CommandDeps;
  readonly reactions: Pick<Reactions, 'handle' | 'reconcileGates'>;
  readonly answer: Answer;
  /** ms since the epoch */
  readonly now: () => number;
}): ItemHandler {
  const { commands, answer, now } = deps;

  async function reply(asker: Asker, made: Reply): Promise<void> {
    const visibleToAll = seenByAll.has(made.kind);
    await answer(asker, renderReply(made), visibleToAll, fileOf(made));
  }

  async function command(item: Extract<Inbound, { kind: 'command' }>, delivery: string): Promise<void> {
    const { user, channel, text } = item;
    const asker: Asker = { user, channel, responseUrl: item.response_url };
    const parsed = parse(text);
    if (parsed.kind === 'error') {
      // A slip of the pen is between the bot and the person.
      const { command: said, why, instead } = parsed;
      return reply(asker, { kind: 'refused', command: said, why, instead });
    }
    const context = contextFor(commands, { user, channel, via: 'command', delivery });
    await reply(asker, await runCommand(context, parsed.command, now()));
  }

  async function button(item: Extract<Inbound, { kind: 'button' }>, delivery: string): Promise<void> {
    const { user } = item;
    const action = promptActionOf(item.action);
    if (action === null) return;
    const channel = item.channel === '' ? commands.incidentChannel : item.channel;
    const context = contextFor(commands, { user, channel, via: 'button', delivery });
    // An operator is asked for the reason first; the answer comes as a delivery of its own.
    if (action === 'skip' && context.operator) return;
    const made = await pressButton(context, action, item.value, '', now());
    await reply({ user, channel, responseUrl: item.response_url }, made);
  }

  async function skip(item: Extract<Inbound, { kind: 'skip' }>, delivery: string): Promise<void> {
    const { user, value, reason } = item;
    const channel = commands.incidentChannel;
    const context = contextFor(commands, { user, channel, via: 'button', delivery });
    await reply({ user, channel }, await pressButton(context, 'skip', value, reason, now()));
  }

  return {
    async handle({ key, payload, attempts }) {
      // It may have had its effect in a process that died before it could say so; the channel was told then.
      if (attempts > 1 && (await commands.runs.handled(key))) return;
      const inbound = Inbound.parse(payload);
      switch (inbound.kind) {
        case 'command':
          await command(inbound, key);
          // Whoever asks is often sent to a request: its message has to be there.
          void deps.reactions.reconcileGates();
          return;
        case 'reaction':
          return deps.reactions.handle(inbound, key);
        case 'button':
          return button(inbound, key);
        case 'skip':
          return skip(inbound, key);
      }
    },

    async onDead({ payload }, error) {
      const { success, data } = Inbound.safeParse(payload);
      if (!success || data.kind === 'reaction') return;
      const channel = data.kind === 'skip' ? commands.incidentChannel : data.channel;
      const responseUrl = data.kind === 'skip' ? undefined : data.response_url;
      await reply(
        { user: data.user, channel, responseUrl },
        {
          kind: 'refused',
          command: data.kind === 'command' ? `/m10 ${data.text}`.trim() : 'The button',
          ...givenUp(error),
        },
      );
    },
  };
}
