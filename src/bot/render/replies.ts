import type { Reply, Usage } from '../../commands/reply.js';
import type { OpenedRun } from '../../runbook/state.js';
import { auditFile, renderAudit } from './audit.js';
import { renderCard, standing } from './card.js';
import { code, line, prose } from './escape.js';
import { renderJobsLog } from './jobs-log.js';
import { renderJobs } from './jobs-shown.js';
import { cutMrkdwn, LIMITS } from './limits.js';
import { renderLocks } from './locks-shown.js';
import { context, divider, header, message, type Rendered, section } from './message.js';
import { type ChainHead, chainWords } from './notes.js';
import { runTitle, whatNow } from './now.js';
import { renderOutbox } from './outbox-shown.js';
import { chunks } from './paragraphs.js';
import type { AttachedFile } from './plan-files.js';
import { renderRefusal } from './refused.js';
import { renderReplays } from './replays-shown.js';
import { withUndelivered } from './undelivered.js';
import { duration } from './words.js';

/** The answer to a command, as a message. */
export function renderReply(reply: Reply): Rendered {
  switch (reply.kind) {
    case 'done':
      return message(prose(reply.text), [section(prose(reply.text))]);
    case 'refused':
      return renderRefusal(reply);
    case 'help':
      return renderHelp(reply.usages);
    case 'status':
      return withUndelivered(renderStatus(reply.run, reply), reply.undelivered);
    case 'jobs':
      return renderJobs(reply);
    case 'jobs-log':
      return renderJobsLog(reply);
    case 'locks':
      return renderLocks(reply);
    case 'outbox':
      return renderOutbox(reply);
    case 'replays':
      return renderReplays(reply);
    case 'audit':
      return renderAudit(reply.run, reply.entries, reply, fileOf(reply) !== null);
  }
}

/** What goes with an answer as a file; null: its message has everything. */
export function fileOf(reply: Reply): AttachedFile | null {
  return reply.kind === 'audit' ? auditFile(reply.run, reply.entries, reply) : null;
}

/** Where the open run stands; without one, what the last one came to. */
export function renderStatus(
  run: OpenedRun | null,
  at: {
    readonly now: number;
    readonly head?: ChainHead;
    readonly last?: OpenedRun | null;
    readonly beside?: OpenedRun | null;
  },
): Rendered {
  const beside = at.beside ?? null;
  if (run === null && beside === null) return noRun(at.last ?? null, at.now);
  if (run === null) return alone(beside, at.now);
  const card = renderCard(run);
  const small = [
    `Open for ${duration(at.now - run.openedAt)}`,
    ...(at.head === undefined ? [] : [chainWords(at.head)]),
  ];
  const also = beside === null ? null : besideLine(beside);
  return {
    text: also === null ? card.text : cutMrkdwn(`${card.text} ${also}`, LIMITS.text),
    blocks: [...card.blocks, context(...small), ...(also === null ? [] : [divider, section(also)])],
  };
}

/** An operation beside the run, in short. */
function besideLine(state: OpenedRun): string {
  const { word, emoji } = standing(state);
  return `${emoji} Beside it, run ${state.run}: *${line(runTitle(state))}* · ${word.toLowerCase()}. ${whatNow(state)}`;
}

/** An operation while no run migrates. */
function alone(state: OpenedRun | null, now: number): Rendered {
  if (state === null) return noRun(null, now);
  const card = renderCard(state);
  const none = `No run migrates. An operator opens one with ${code('/m10 preflight')}.`;
  return {
    text: card.text,
    blocks: [...card.blocks, context(`Open for ${duration(now - state.openedAt)}`, none)],
  };
}

function noRun(last: OpenedRun | null, now: number): Rendered {
  const open = `No run is open. An operator opens one with ${code('/m10 preflight')}.`;
  if (last === null) return message(open, [section(open)]);
  const closed = last.closed === null ? '' : `, closed ${duration(now - last.closed.at)} ago`;
  const was = `The last one was run ${last.run} (${line(runTitle(last))}): ${standing(last).word.toLowerCase()}${closed}.`;
  const audit = `${code(`/m10 audit ${last.run}`)} shows what happened in it.`;
  return message(`${open} ${was}`, [section(`${open}\n${was} ${audit}`)]);
}

export function renderHelp(usages: readonly Usage[]): Rendered {
  const lines = usages.map((each) => `${code(each.usage)} · ${prose(each.what)} _${line(each.who)}_`);
  const answer =
    'On a request for approval: ✅ approves, ❌ refuses, 🛑 stops the run. Who asks cannot approve.';
  const stop = `Anyone may look, and anyone may stop a run with ${code('/m10 stop')}.`;
  return message(`Commands: ${usages.map((u) => code(u.usage)).join(', ')}. ${stop}`, [
    header('Commands'),
    ...chunks(lines).map((text) => section(text)),
    section(`${answer}\n${stop}`),
  ]);
}
