import type { WebClient } from '@slack/web-api';
import { type Log, messageOf } from './log.js';
import type { Rendered } from './render/message.js';
import { refuseResponseUrl } from './response-url.js';

/** Where an answer goes. */
export interface Asker {
  readonly user: string;
  readonly channel: string;
  /** Takes five answers within 30 minutes. */
  readonly responseUrl?: string | undefined;
}

/** Answers a person; never throws, since what they asked for has been done or refused by then. */
export type Answer = (asker: Asker, rendered: Rendered, visibleToAll: boolean) => Promise<void>;

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

  return async (asker, rendered, visibleToAll) => {
    const { responseUrl, user } = asker;
    if (responseUrl !== undefined && (await byUrl(responseUrl, rendered, visibleToAll))) return;
    const message = { text: rendered.text, blocks: [...rendered.blocks] };
    const channel = asker.channel === '' ? deps.incidentChannel : asker.channel;
    try {
      if (visibleToAll) await client.chat.postMessage({ channel, ...message, unfurl_links: false });
      else await client.chat.postEphemeral({ channel, user, ...message });
    } catch (error) {
      log.warn({ user, error: messageOf(error) }, 'a person could not be answered');
    }
  };
}
