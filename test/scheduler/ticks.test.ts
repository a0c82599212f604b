import cron from 'node-cron';
import { describe, expect, test } from 'vitest';
import { createTicks } from '../../src/scheduler/ticks.js';

/** The moments after `from`, forwards; going backwards from the last must give the same ones. */
function moments(expression: string, zone: string, from: string, count: number): string[] {
  const ticks = createTicks(expression, zone);
  const forward: number[] = [];
  for (let at = Date.parse(from); forward.length < count; ) {
    at = ticks.next(at) ?? Number.NaN;
    forward.push(at);
  }
  const back: number[] = [];
  for (let at = forward.at(-1) ?? 0; back.length < count; at = (back[0] ?? 0) - 1) {
    back.unshift(ticks.previous(at) ?? Number.NaN);
  }
  expect(back).toEqual(forward);
  return forward.map((at) => new Date(at).toISOString().replace(':00.000Z', 'Z'));
}

describe('clocks that go forward', () => {
  test('a time of day that does not exist runs once, right after the gap', () => {
    expect(moments('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00:00Z', 3)).toEqual([
      '2026-03-28T01:30Z',
      '2026-03-29T01:00Z',
      '2026-03-30T00:30Z',
    ]);
  });

  test('several of them are one, and one with a moment that stands there anyway', () => {
    expect(moments('*/15 2,3 * * *', 'Europe/Berlin', '2026-03-28T02:40:00Z', 6)).toEqual([
      '2026-03-28T02:45Z',
      '2026-03-29T01:00Z',
      '2026-03-29T01:15Z',
      '2026-03-29T01:30Z',
      '2026-03-29T01:45Z',
      '2026-03-30T00:00Z',
    ]);
  });

  test('the days of the week stay', () => {
    expect(moments('0 3 * * 0', 'Europe/Berlin', '2026-03-20T00:00:00Z', 3)).toEqual([
      '2026-03-22T02:00Z',
      '2026-03-29T01:00Z',
      '2026-04-05T01:00Z',
    ]);
  });

  test('midnight may be what does not exist, or a whole day', () => {
    expect(moments('0 0 * * *', 'America/Sao_Paulo', '2018-11-03T00:00:00Z', 3)).toEqual([
      '2018-11-03T03:00Z',
      '2018-11-04T03:00Z',
      '2018-11-05T02:00Z',
    ]);
    expect(moments('0 12 * * *', 'Pacific/Apia', '2011-12-29T00:00:00Z', 3)).toEqual([
      '2011-12-29T22:00Z',
      '2011-12-30T10:00Z',
      '2011-12-30T22:00Z',
    ]);
  });

  test('what runs every hour keeps its pace', () => {
    expect(moments('*/30 * * * *', 'Europe/Berlin', '2026-03-29T00:10:00Z', 4)).toEqual([
      '2026-03-29T00:30Z',
      '2026-03-29T01:00Z',
      '2026-03-29T01:30Z',
      '2026-03-29T02:00Z',
    ]);
  });
});

describe('clocks that go back', () => {
  test('a time of day that comes twice runs the first time', () => {
    expect(moments('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30Z',
      '2026-10-26T01:30Z',
    ]);
    expect(moments('*/20 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 4)).toEqual([
      '2026-10-25T00:00Z',
      '2026-10-25T00:20Z',
      '2026-10-25T00:40Z',
      '2026-10-26T01:00Z',
    ]);
  });

  test('what runs every hour keeps its pace through both', () => {
    expect(moments('*/30 * * * *', 'Europe/Berlin', '2026-10-24T23:40:00Z', 6)).toEqual([
      '2026-10-25T00:00Z',
      '2026-10-25T00:30Z',
      '2026-10-25T01:00Z',
      '2026-10-25T01:30Z',
      '2026-10-25T02:00Z',
      '2026-10-25T02:30Z',
    ]);
  });

  test('half an hour is enough', () => {
    expect(moments('15,45 * * * *', 'Australia/Lord_Howe', '2026-04-04T14:30:00Z', 4)).toEqual([
      '2026-04-04T14:45Z',
      '2026-04-04T15:15Z',
      '2026-04-04T15:45Z',
      '2026-04-04T16:15Z',
    ]);
  });
});

describe('other moments', () => {
  test('seconds, leap days, last days, nth weekdays, rare hours', () => {
    const ticks = createTicks('*/30 * * * * *', 'UTC');
    expect(ticks.next(Date.parse('2026-05-01T00:00:00Z'))).toBe(Date.parse('2026-05-01T00:00:30Z'));
    expect(ticks.previous(Date.parse('2026-05-01T00:00:29.999Z'))).toBe(Date.parse('2026-05-01T00:00:00Z'));
    expect(moments('0 0 29 2 *', 'UTC', '2026-01-01T00:00:00Z', 2)).toEqual([
      '2028-02-29T00:00Z',
      '2032-02-29T00:00Z',
    ]);
    expect(moments('0 3 L * *', 'Europe/Berlin', '2026-01-31T12:00:00Z', 2)).toEqual([
      '2026-02-28T02:00Z',
      '2026-03-31T01:00Z',
    ]);
    expect(moments('0 3 * * 1#2', 'UTC', '2026-01-01T00:00:00Z', 2)).toEqual([
      '2026-01-12T03:00Z',
      '2026-02-09T03:00Z',
    ]);
    expect(moments('0 * 1 1 *', 'Europe/Berlin', '2026-06-01T00:00:00Z', 2)).toEqual([
      '2026-12-31T23:00Z',
      '2027-01-01T00:00Z',
    ]);
  });

  test.each(['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe'])(
    'in %s the driving expression meets every one over a year',
    (zone) => {
      for (const expression of ['30 2 * * *', '*/10 * * * *', '5 3 * * 0', '15 0 1 * *']) {
        const ticks = createTicks(expression, zone);
        const drive = cron.createTask(ticks.drive, () => undefined, { timezone: 'UTC' });
        let at = Date.parse('2026-01-01T00:00:00Z');
        for (let i = 0; i < 400; i += 1) {
          at = ticks.next(at) ?? Number.NaN;
          expect(drive.match(new Date(at)), `${expression} ${new Date(at).toISOString()}`).toBe(true);
        }
        void drive.destroy();
      }
    },
  );

  test('without changing clocks they are those of node-cron', () => {
    for (const expression of ['*/7 1-5 * * 1-5', '30 */2 * * *', '0 0 12 1,15 * *']) {
      const own = createTicks(expression, 'UTC');
      const task = cron.createTask(expression, () => undefined, { timezone: 'UTC' });
      let at = Date.now();
      for (const theirs of task.getNextRuns(50)) {
        at = own.next(at) ?? Number.NaN;
        expect(at).toBe(theirs.getTime());
      }
      void task.destroy();
    }
  });

  test('what is no schedule is refused', () => {
    expect(() => createTicks('61 * * * *', 'UTC')).toThrow();
    expect(() => createTicks('* * * * *', 'Mars/Base')).toThrow(RangeError);
  });
});
