import { nearest } from '../nearest.js';
import type { LockSeen, M10Port } from '../runbook/jobs/m10-port.js';
import { type Refusal, refuse } from '../runbook/refusal.js';
import type { CommandContext } from './context.js';
import { noAnswer, notAllowed } from './m10-refusals.js';
import { openBeside } from './open-beside.js';
import type { Operation } from './operate.js';
import type { Reply } from './reply.js';

/** Removes the locks that have expired: nobody loses anything, for whoever asks next would get them. */
export function cleanupLocks(m10: M10Port): Operation {
  return {
    what: `Remove the expired locks of ${m10.target}`,
    effect: async () => {
      const removed = await m10.cleanupLocks();
      if (removed.kind === 'no') return { result: 'failed', summary: removed.why, output: removed.instead };
      const locks = removed.value;
      return {
        result: 'passed',
        summary:
          locks.length === 0
            ? `no lock of ${m10.target} has expired, so nothing was removed`
            : `removed ${locks.length} expired ${locks.length === 1 ? 'lock' : 'locks'} of ${m10.target}`,
        output: locks.map(({ name, holder }) => `${name}, last held by ${holder}`).join('\n'),
      };
    },
  };
}

/** Asks a second person to take a lock from its holder, as it is held now. */
export async function releaseLock(
  context: CommandContext,
  m10: M10Port,
  said: string,
  name: string,
): Promise<Reply | Refusal> {
  const no = notAllowed(context, 'ask for the release of a lock');
  if (no !== null) return no;
  const read = await m10.lock(name);
  if (read.kind === 'no') return noAnswer(read);
  const lock = read.value;
  if (lock === null) {
    const all = await m10.locks();
    return all.kind === 'no' ? noAnswer(all) : unknownLock(m10.target, name, all.value);
  }
  if (lock.stale) {
    return refuse(
      'nothing_left',
      `The lock ${name} has expired: whoever asks next gets it, so there is nothing to take away.`,
      '`/m10 locks cleanup` removes it; that needs no approval.',
    );
  }
  return openBeside(context, said, `the release of \`${name.replaceAll('`', '')}\``, {
    id: 'locks-release',
    step: 'release',
    title: `Release the lock ${name}`,
    on: m10.target,
    uses: 'locks.release',
    with: {
      lock: name,
      holder: lock.holder,
      'acquired-at': new Date(lock.acquiredAt).toISOString(),
    },
    timeout: 60_000,
    onFailure: 'A lock is taken only from the holder that was approved. Look at /m10 locks before you retry.',
  });
}

function unknownLock(target: string, name: string, locks: readonly LockSeen[]): Refusal {
  const names = locks.map((lock) => lock.name);
  const near = nearest(name, names);
  const known =
    names.length === 0
      ? 'Nobody holds any lock.'
      : `Held: ${names
          .slice(0, 8)
          .map((each) => `\`${each.replaceAll('`', '')}\``)
          .join(', ')}.`;
  return refuse(
    'unknown_lock',
    `Nobody holds a lock "${name.slice(0, 100)}" on ${target}.`,
    near === undefined ? known : `Did you mean \`${near}\`? ${known}`,
  );
}
