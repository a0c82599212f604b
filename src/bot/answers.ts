import type { WebClient } from '@slack/web-api';
import { type Log, messageOf } from './log.js';
import { code, line, visible } from './render/escape.js';
import { message, type Rendered, section } from './render/message.js';
import type { AttachedFile } from './render/plan-files.js';
import { refuseResponseUrl } from './response-url.js';

/** Where an answer goes. */
export interface Asker {
  readonly user: string;
  readonly channel: string;
  /** Takes five answers within 30 minutes. */
  readonly responseUrl?: string | undefined;
}

/** Answers a person; never throws, since what they asked for has been done or refused by then. */
export type Answer = (
  asker: Asker,
  rendered: Rendered,
  visibleToAll: boolean,
  file?: AttachedFile | null,
) => Promise<void>;

const TIMEOUT = 5_000;

export function createAnswers(deps: {
  readonly client: WebClient;
  /** Base of the Web API. */
  readonly apiUrl: string;
  readonly incidentChannel: string;
  readonly log: Log;
}): Answer {
  const { client, log } = deps;

  async function byUrl(url: string, rendered: Rendered, visibleToAll: boolean): Promise<boolean> {
    const refused = refuseResponseUrl(url, deps.apiUrl);
    if (refused !== null) {
      log.warn({ why: refused }, 'a response_url was not used; the answer goes by the Web API');
      return false;
    }
    try {
      const response = await fetch(url, {
        method: 'POST',
        // Slack redirects nobody; what does would have the answer carried elsewhere.
        redirect: 'manual',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          response_type: visibleToAll ? 'in_channel' : 'ephemeral',
          // The button's message is the publisher's to change.
          replace_original: false,
          ...rendered,
        }),
        signal: AbortSignal.timeout(TIMEOUT),
      });
      if (response.ok) return true;
      log.warn({ status: response.status }, 'Slack did not take an answer by its response_url');
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'an answer by response_url failed');
    }
    return false;
  }

  const channelOf = (asker: Asker) => (asker.channel === '' ? deps.incidentChannel : asker.channel);

  async function byCall(asker: Asker, rendered: Rendered, visibleToAll: boolean): Promise<void> {
    const { user } = asker;
    const shown = { text: rendered.text, blocks: [...rendered.blocks] };
    const channel = channelOf(asker);
    try {
      if (visibleToAll) await client.chat.postMessage({ channel, ...shown, unfurl_links: false });
      else await client.chat.postEphemeral({ channel, user, ...shown });
    } catch (error) {
      log.warn({ user, error: messageOf(error) }, 'a person could not be answered');
    }
  }

  /** A file that Slack does not take is told of: the message above has said that it follows. */
  async function share(asker: Asker, file: AttachedFile): Promise<void> {
    const { filename, title, content } = file;
    try {
      await client.filesUploadV2({
        channel_id: channelOf(asker),
        filename,
        title,
        content: visible(content),
      });
    } catch (error) {
      const why = messageOf(error);
      log.warn({ filename, error: why }, 'a file could not be shared');
      const text = `${line(title)}: Slack did not take the file (${line(why)}). ${code('m10bot audit export')} has all of it.`;
      await byCall(asker, message(text, [section(text)]), true);
    }
  }

  return async (asker, rendered, visibleToAll, file = null) => {
    const { responseUrl } = asker;
    const answered = responseUrl !== undefined && (await byUrl(responseUrl, rendered, visibleToAll));
    if (!answered) await byCall(asker, rendered, visibleToAll);
    if (file !== null) await share(asker, file);
  };
}
