import type { MaintenanceWindow } from '../config.js';
import { createZone } from '../zone.js';

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
 * ahead, in order. On a day whose clocks jump over a border of the window, that border is the end of the jump; a
 * border that the clocks show twice is meant the first time. A window of which the jump leaves nothing is not open
 * on that day.
 */
export function openings(window: MaintenanceWindow, now: number): Opening[] {
  const wanted = new Set(window.days.map((day) => day.slice(0, 3).toLowerCase()));
  const zone = createZone(window.timezone);
  const today = Math.floor(zone.local(now) / dayMs) * dayMs;
  const found: Opening[] = [];
  for (let offset = -1; offset <= 8; offset += 1) {
    const midnight = today + offset * dayMs;
    if (!wanted.has(days[new Date(midnight).getUTCDay()] ?? '')) continue;
    const from = zone.instant(midnight + timeOf(window.from));
    const to = zone.instant(midnight + timeOf(window.to) + (window.to <= window.from ? dayMs : 0));
    if (from < to) found.push({ window, from, to });
  }
  return found;
}

/** `22:00` in ms since midnight. */
function timeOf(text: string): number {
  const [hour = 0, minute = 0] = text.split(':').map(Number);
  return (hour * 60 + minute) * 60_000;
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
  const local = new Date(createZone(timezone).local(moment));
  const name = days[local.getUTCDay()] ?? '';
  const [date, time] = local.toISOString().split('T');
  return `${name.charAt(0).toUpperCase()}${name.slice(1)} ${date} ${time?.slice(0, 5)} (${timezone})`;
}
