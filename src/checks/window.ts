import type { MaintenanceWindow } from '../config.js';

/** A stretch of real time in which a window is open, ms since the epoch. */
export interface Opening {
  readonly window: MaintenanceWindow;
  readonly from: number;
  readonly to: number;
}

const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const dayMs = 86_400_000;

/**
 * The openings of a window around a moment: from the day before (a window may last past midnight) to eight days
 * ahead, in order.
 */
export function openings(window: MaintenanceWindow, now: number): Opening[] {
  const wanted = new Set(window.days.map((day) => day.slice(0, 3).toLowerCase()));
  const found: Opening[] = [];
  const today = localDate(now, window.timezone);
  for (let offset = -1; offset <= 8; offset += 1) {
    const noon = new Date(Date.UTC(today.year, today.month - 1, today.day + offset));
    if (!wanted.has(days[noon.getUTCDay()] ?? '')) continue;
    const from = instant(noon, window.from, 0, window.timezone);
    const to = instant(noon, window.to, window.to <= window.from ? 1 : 0, window.timezone);
    found.push({ window, from, to });
  }
  return found;
}

/** The opening that holds `now`, or the next one to come; null without windows. */
export function openingAt(
  windows: readonly MaintenanceWindow[],
  now: number,
): { readonly open: Opening | null; readonly next: Opening | null } {
  const all = windows.flatMap((window) => openings(window, now)).sort((a, b) => a.from - b.from);
  // Of several that are open, the one that lasts longest is the one to count on.
  const open = all.filter((o) => o.from <= now && now < o.to).sort((a, b) => b.to - a.to)[0] ?? null;
  return { open, next: all.find((o) => o.from > now) ?? null };
}

/** `Tue 2025-12-09 22:00 (Europe/Berlin)` */
export function localTime(moment: number, timezone: string): string {
  const { year, month, day, hour, minute } = localDate(moment, timezone);
  const weekday = new Date(Date.UTC(year, month - 1, day)).getUTCDay();
  const name = days[weekday] ?? '';
  const two = (n: number) => String(n).padStart(2, '0');
  return `${name.charAt(0).toUpperCase()}${name.slice(1)} ${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)} (${timezone})`;
}

function localDate(moment: number, timezone: string) {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(moment);
  const of = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((p) => p.type === type)?.value ?? 0);
  return {
    year: of('year'),
    month: of('month'),
    day: of('day'),
    hour: of('hour'),
    minute: of('minute'),
    second: of('second'),
  };
}

/** The moment at which a clock in the zone shows this time; in a gap of the summer time, the moment after it. */
function instant(date: Date, time: string, plusDays: number, timezone: string): number {
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  const wall = date.getTime() + plusDays * dayMs + (hour * 60 + minute) * 60_000;
  const offsetAt = (moment: number) => {
    const l = localDate(moment, timezone);
    return (
      Date.UTC(l.year, l.month - 1, l.day, l.hour, l.minute, l.second) - Math.floor(moment / 1_000) * 1_000
    );
  };
  const guess = wall - offsetAt(wall);
  return wall - offsetAt(guess);
}
