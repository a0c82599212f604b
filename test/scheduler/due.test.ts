import { describe, expect, test } from 'vitest';
import { createClockWatch } from '../../src/scheduler/clock-watch.js';
import { type Due, dueTick, type Standing } from '../../src/scheduler/due.js';
import { createTicks } from '../../src/scheduler/ticks.js';
import { intervalOf } from '../../src/scheduler/watch.js';

const at = (text: string) => Date.parse(`2026-05-03T${text}Z`);
const ticks = createTicks('*/10 * * * *', 'UTC');
const on: Standing = { paused: false, resumedAt: at('00:05:00'), considered: null, running: false };

/** A replica that is asked at each of these moments, and deals with what it is told. */
function asked(standing: Standing, ...moments: readonly string[]): string[] {
  let considered = standing.considered;
  return moments.flatMap((moment) => {
    const due: Due = dueTick(ticks, { ...standing, considered }, at(moment));
    if (due.kind === 'nothing') return [];
    considered = due.tick;
    const tick = new Date(due.tick).toISOString().slice(11, 16);
    return [due.kind === 'overlap' ? `overlap ${tick}` : `${due.trigger} ${tick}`];
  });
}

describe('which moment a job is due for', () => {
  test('each moment once, however often it is asked', () => {
    expect(asked(on, '01:09:59', '01:10:00', '01:10:00', '01:10:01', '01:19:59', '01:20:00')).toEqual([
      'made-up 01:00',
      'schedule 01:10',
      'schedule 01:20',
    ]);
  });

  test('any number of missed moments is made up for by one run', () => {
    expect(asked({ ...on, considered: at('01:00:00') }, '01:47:00', '01:47:01', '01:50:00')).toEqual([
      'made-up 01:40',
      'schedule 01:50',
    ]);
  });

  test('a moment before the schedule was switched on is nobody’s, nor is one in a pause', () => {
    expect(asked({ ...on, resumedAt: at('01:05:00') }, '01:06:00', '01:10:00')).toEqual(['schedule 01:10']);
    expect(asked({ ...on, resumedAt: null }, '01:10:00')).toEqual([]);
    expect(asked({ ...on, paused: true }, '01:10:00')).toEqual([]);
    // Paused over two moments, then switched on again.
    expect(
      asked({ ...on, considered: at('01:00:00'), resumedAt: at('01:25:00') }, '01:25:01', '01:30:00'),
    ).toEqual(['schedule 01:30']);
  });

  test('a moment that comes while the job runs is left out, and not made up for', () => {
    const running = { ...on, considered: at('01:00:00'), running: true };
    expect(asked(running, '01:10:00', '01:10:05')).toEqual(['overlap 01:10']);
    expect(asked({ ...running, running: false, considered: at('01:10:00') }, '01:12:00')).toEqual([]);
  });

  test('a clock that is set forward gives one run, and one that is set back none a second time', () => {
    expect(
      asked(
        { ...on, considered: at('01:00:00') },
        '05:03:00',
        '05:03:01',
        '03:00:00',
        '03:10:00',
        '05:00:00',
        '05:10:00',
      ),
    ).toEqual(['made-up 05:00', 'schedule 05:10']);
  });
});

test('a clock that is set is noticed, and one that goes on is not', () => {
  let [wall, monotonic] = [1_000_000, 50];
  const clock = createClockWatch(
    () => wall,
    () => monotonic,
  );
  const pass = (byWall: number, byMonotonic: number) => {
    wall += byWall;
    monotonic += byMonotonic;
    return clock.jumped();
  };
  expect(pass(1_000, 1_000)).toBe(0);
  // A blocked event loop is no jump: both clocks went on.
  expect(pass(60_000, 60_000)).toBe(0);
  expect(pass(3_601_000, 1_000)).toBe(3_600_000);
  expect(pass(1_000, 1_000)).toBe(0);
  expect(pass(-59_000, 1_000)).toBe(-60_000);
  expect(pass(1_300, 1_000)).toBe(0);
});

test('a schedule for working hours is not late on a Monday', () => {
  const working = createTicks('*/10 8-17 * * 1-5', 'UTC');
  const minute = 60_000;
  // Sunday; Monday right after the first moment; Monday when three intervals have passed since.
  expect(intervalOf(working, Date.parse('2026-05-03T12:00:00Z'))).toBeGreaterThan(60 * 60 * minute);
  expect(intervalOf(working, Date.parse('2026-05-04T08:01:00Z'))).toBeGreaterThan(60 * 60 * minute);
  expect(intervalOf(working, Date.parse('2026-05-04T08:41:00Z'))).toBe(10 * minute);
});
