import { SlackCallError } from '../../clients/slack.js';
import { visible } from '../render/escape.js';
import { findFile } from '../slack-calls.js';
import { CLOCK_SLACK, type DeliverDeps, type DeliverOptions, LOOKS } from './deliver.js';
import { undeliveredKey } from './keys.js';
import type { FileOperation } from './operation.js';
import { remedyFor } from './slack-errors.js';
import { RESERVE } from './timing.js';
import { createTrying } from './trying.js';

export type DeliverFile = (operation: FileOperation, options: DeliverOptions) => Promise<void>;

/** Shares a file in a thread once: one whose sharing ended without an answer is looked for by its name. */
export function createDeliverFile(deps: DeliverDeps): DeliverFile {
  const { slack, posted, pacer, log, timing, redact } = deps;
  const trying = createTrying(log, timing);

  return async function deliverFile(operation, options) {
    const { key, channel, filename, title, origin } = operation;
    if ((await posted.get(key)) !== undefined) return;
    const note = (as: string, ts: string, hash: string) =>
      posted.put({ key: as, channel, ts, hash, position: origin.position });
    const parent = await posted.get(operation.parent);
    const read = await operation.content();
    const content = read === null ? '' : visible(redact(read));
    if (parent === undefined || content.trim() === '') {
      log.warn({ key, filename }, 'a file has no thread or no content; it is left out');
      await note(undeliveredKey(key), '', parent === undefined ? 'no_thread' : 'no_content');
      return;
    }
    const place = { channel, threadTs: parent.ts };
    let doubtful = options.doubtful;
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (doubtful) {
          await pacer.take('look', LOOKS, 0, options.signal);
          const found = await findFile(slack, place, filename, origin.at - CLOCK_SLACK);
          if (found !== undefined) return void (await note(key, 'file', ''));
          doubtful = false;
        }
        await pacer.take('files', timing.posts, options.urgent ? 0 : RESERVE, options.signal);
        await slack.share({ ...place, filename, title: title.slice(0, 200), content });
        return void (await note(key, 'file', ''));
      } catch (error) {
        if (!(error instanceof SlackCallError)) throw error;
        const { failure } = error;
        if (failure.kind === 'refused' && remedyFor(failure.code) !== 'wait') {
          log.error({ key, why: error.message }, 'a file cannot be shared in Slack');
          await note(undeliveredKey(key), '', failure.code);
          return;
        }
        if (failure.kind === 'limited') {
          pacer.pause(error.method === 'files.uploadV2' ? 'files' : 'look', failure.retryAfterMs);
        } else {
          doubtful = doubtful || failure.kind === 'ambiguous';
          await trying.pause(attempt, error, options.signal);
        }
      }
    }
  };
}
