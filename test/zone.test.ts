import { describe, expect, test } from 'vitest';
import { openingAt, openings } from '../src/checks/window.js';
import { createTicks } from '../src/scheduler/ticks.js';
import { createZone } from '../src/zone.js';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** What the runtime's own clock shows, as if it were UTC. */
function clockOf(timeZone: string): (instant: number) => number {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  return (instant) => Date.parse(`${format.format(instant).replace(' ', 'T')}Z`);
}

const zones = [
  'Europe/Berlin',
  'Europe/London',
  'America/New_York',
  'America/Santiago',
  'America/Nuuk',
  'Africa/Cairo',
  'Africa/Casablanca',
  'Asia/Beirut',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
];

/** The days of two years on which the clocks change, as their midnights on the wall. */
function changes(name: string): number[] {
  const clock = clockOf(name);
  const found: number[] = [];
  const start = Date.UTC(2026, 0, 1);
  for (let at = start; at < start + 730 * day; at += day) {
    if (clock(at + day) - clock(at) !== day) found.push(at - day, at, at + day);
  }
  return [...new Set(found)];
}

describe.each(zones)('days on which the clocks of %s change', (name) => {
  const clock = clockOf(name);
  const zone = createZone(name);

  test.each(changes(name).map((at) => [new Date(at).toISOString().slice(0, 10), at] as const))(
    '%s',
    (_date, midnight) => {
      for (let time = midnight; time < midnight + day; time += 15 * minute) {
        // Looked for minute by minute: the first at which the clocks show this time or a later one.
        let first =
          time -
          Math.max(clock(midnight - day) - midnight + day, clock(midnight + 2 * day) - midnight - 2 * day) -
          minute;
        while (clock(first) < time) first += minute;
        expect(new Date(zone.instant(time)).toISOString(), new Date(time).toISOString()).toBe(
          new Date(first).toISOString(),
        );
      }
    },
  );

  test('there are such days', () => {
    expect(changes(name).length).toBeGreaterThan(5);
  });
});

test('offsets and changes are those of the runtime', () => {
  for (const name of zones) {
    const [zone, clock] = [createZone(name), clockOf(name)];
    for (let at = Date.UTC(2026, 0, 1); at < Date.UTC(2027, 0, 1); at += 7 * hour) {
      expect(zone.local(at)).toBe(clock(at));
    }
    const change = zone.change(Date.UTC(2026, 0, 20), Date.UTC(2027, 0, 1));
    expect(clock(change) - clock(change - 1_000)).not.toBe(1_000);
  }
  expect(createZone('UTC').change(0, 5)).toBe(5);
  expect(() => createZone('Europe/Berlim')).toThrow(RangeError);
});

const every = { days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], timezone: 'Europe/Berlin' };
const at = (text: string) => Date.parse(text);

describe('a maintenance window', () => {
  test.each([
    ['begins in the gap', '02:30', '05:00', '2026-03-29', '2026-03-29T01:00Z', '2026-03-29T03:00Z'],
    ['ends in the gap', '01:00', '02:30', '2026-03-29', '2026-03-29T00:00Z', '2026-03-29T01:00Z'],
    [
      'begins in the hour that comes twice',
      '02:30',
      '05:00',
      '2026-10-25',
      '2026-10-25T00:30Z',
      '2026-10-25T04:00Z',
    ],
    [
      'ends in the hour that comes twice',
      '01:00',
      '02:30',
      '2026-10-25',
      '2026-10-24T23:00Z',
      '2026-10-25T00:30Z',
    ],
    ['lasts over the change', '22:00', '04:00', '2026-10-24', '2026-10-24T20:00Z', '2026-10-25T03:00Z'],
  ])('that %s', (_name, from, to, date, opens, closes) => {
    const window = { ...every, from, to };
    const found = openings(window, at(`${date}T12:00Z`)).map((o) => [o.from, o.to]);
    expect(found).toContainEqual([at(opens), at(closes)]);
  });

  test('that lies in the gap does not open on that day', () => {
    const window = { ...every, from: '02:10', to: '02:50' };
    const { open, next } = openingAt([window], at('2026-03-29T00:59Z'));
    expect(open).toBeNull();
    expect(next?.from).toBe(at('2026-03-30T00:10Z'));
  });

  test.each(zones)('opens when a schedule of the same time is due: %s', (timezone) => {
    const ticks = createTicks('30 2 * * *', timezone);
    for (const midnight of changes(timezone)) {
      const window = { ...every, timezone, from: '02:30', to: '06:30' };
      for (const opening of openings(window, midnight)) {
        expect(ticks.next(opening.from - 1)).toBe(opening.from);
      }
    }
  });
});
