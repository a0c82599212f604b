import type { LockSeen } from '../../runbook/jobs/m10-port.js';
import { code, line } from './escape.js';
import { ago } from './job-words.js';
import { context, header, message, type Rendered, section } from './message.js';
import { duration, moment, plural } from './words.js';

/** `/m10 locks`: who holds what, and whether that one lives. */
export function renderLocks(shown: {
  readonly target: string;
  readonly locks: readonly LockSeen[];
}): Rendered {
  const { target, locks } = shown;
  const stale = locks.filter((lock) => lock.stale);
  const counted =
    locks.length === 0
      ? 'Nobody holds a lock.'
      : `${plural(locks.length, 'lock')}, ${stale.length === 0 ? 'none of them' : stale.length} stale.`;
  const told = [...stale, ...locks.filter((lock) => !lock.stale)].slice(0, 10).map(plainLine);
  return message(
    [`Locks of ${line(target)}: ${counted}`, ...told].join(' '),
    [
      header(`Locks of ${target}`),
      section(counted),
      ...locks.map((lock) => section(lockLines(lock).join('\n'))),
    ],
    [
      context(
        `${code('/m10 locks cleanup')} removes the stale ones. ${code('/m10 locks release NAME')} asks a second person to take one from its holder.`,
      ),
    ],
  );
}

function plainLine(lock: LockSeen): string {
  return `${line(lock.name)}: ${line(lock.holder)}, ${lock.stale ? 'stale' : `for ${duration(lock.leftMs)} more`}.`;
}

function lockLines(lock: LockSeen): string[] {
  const whose = lock.job === null ? 'not the lock of a job' : `job ${lock.job}`;
  const holder = `Held by ${code(lock.holder)}${lock.ours ? ', one of this bot' : ''}, since ${moment(lock.acquiredAt)}, that is ${ago(lock.ageMs)}`;
  const beat = lock.silentMs === null ? 'Last heartbeat: not known' : `Last heartbeat: ${ago(lock.silentMs)}`;
  const end = lock.stale
    ? `⚠️ Stale: expired ${ago(-lock.leftMs)}, so whoever asks next gets it`
    : `Expires in ${duration(lock.leftMs)} unless it is extended`;
  return [`*${line(lock.name)}* · ${whose}`, holder, `${beat}. ${end}`];
}
