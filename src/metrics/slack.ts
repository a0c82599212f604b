import { Counter, type Registry } from 'prom-client';
import { type Slack, SlackCallError } from '../clients/slack.js';

const posting = new Set(['chat.postMessage', 'chat.update']);

/** Counts how calls end that make something stand in Slack: messages, their updates, files. */
export function countPosts(registry: Registry): (slack: Slack) => Slack {
  const posts = new Counter({
    name: 'm10bot_slack_posts_total',
    help: 'Messages, updates and files that this replica sent to Slack, by what Slack answered.',
    labelNames: ['result'],
    registers: [registry],
  });
  for (const result of ['ok', 'refused', 'limited', 'ambiguous']) posts.inc({ result }, 0);

  async function counted<T>(call: () => Promise<T>): Promise<T> {
    try {
      const answer = await call();
      posts.inc({ result: 'ok' });
      return answer;
    } catch (error) {
      // Anything else was thrown before Slack was asked.
      if (error instanceof SlackCallError) posts.inc({ result: error.failure.kind });
      throw error;
    }
  }
  return (slack) => ({
    call: (method, args) => {
      const call = () => slack.call(method, args);
      return posting.has(method) ? counted(call) : call();
    },
    share: (file) => counted(() => slack.share(file)),
  });
}
