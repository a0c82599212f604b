import type { ReplaysSeen } from '../../runbook/jobs/m10-port.js';
import { code, line } from './escape.js';
import { ago } from './job-words.js';
import { context, header, message, type Rendered, section } from './message.js';
import { moment, plural } from './words.js';

const figure = (count: number) => count.toLocaleString('en');

/** `/m10 replays`: how large the replay log is, how fast it grows, how old it is. */
export function renderReplays(shown: {
  readonly target: string;
  readonly replays: ReplaysSeen;
  readonly now: number;
}): Rendered {
  const { target, replays, now } = shown;
  const { rows, bytes, oldestAt, days } = replays;
  const size = `${plural(rows, 'entry', 'entries').replace(String(rows), figure(rows))}, ${sized(bytes)} with its indexes.`;
  const oldest =
    oldestAt === null
      ? ''
      : ` The oldest is of ${moment(oldestAt)}, that is ${ago(Math.max(0, now - oldestAt))}.`;
  const over = days.slice(0, -1);
  const total = over.reduce((sum, { count }) => sum + count, 0);
  const growth =
    over.length === 0
      ? ''
      : `Growth: ${figure(Math.round(total / over.length))} a day, over the last ${plural(over.length, 'whole day')}.`;
  const lines = days.map(({ day, count }, at) => {
    const today = at === days.length - 1 ? ' (so far)' : '';
    return `• ${line(day)}${today}: ${figure(count)}`;
  });
  return message(
    `Replay log of ${line(target)}: ${size} ${growth}`.trim(),
    [
      header(`Replay log of ${target}`),
      section(`${size}${oldest}`),
      ...(lines.length === 0 ? [] : [section(`${growth}\n${lines.join('\n')}`)]),
    ],
    [
      context(
        `${code('/m10 replays cleanup --older-than 30d')} counts what is older and asks a second person to delete it. The job retention-cleanup does it every week.`,
      ),
    ],
  );
}

/** @param bytes in binary units, as people read them off a disk */
function sized(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
