import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Parsed, parse } from '../../src/commands/parse.js';
import { MAX_REASON } from '../../src/commands/parse-words.js';
import { commandNames } from '../../src/commands/usages.js';

const command = (text: string) => {
  const parsed = parse(text);
  return parsed.kind === 'command' ? parsed.command : expect.unreachable(parsed.why);
};
const error = (text: string): Extract<Parsed, { kind: 'error' }> => {
  const parsed = parse(text);
  return parsed.kind === 'error' ? parsed : expect.unreachable(parsed.command.name);
};

describe('parse', () => {
  it.each([
    ['help', { name: 'help' }],
    ['', { name: 'help' }],
    ['   ', { name: 'help' }],
    ['preflight', { name: 'preflight' }],
    ['  NEXT  ', { name: 'next' }],
    ['status please', { name: 'status' }],
    ['plan', { name: 'plan' }],
    ['backup', { name: 'backup' }],
    ['retry.', { name: 'retry' }],
    ['resume', { name: 'resume' }],
    [
      'skip smoke-tests   flaky since\nMonday',
      { name: 'skip', step: 'smoke-tests', reason: 'flaky since Monday' },
    ],
    ['skip `smoke` flaky', { name: 'skip', step: 'smoke', reason: 'flaky' }],
    ['stop', { name: 'stop', now: false, reason: '' }],
    ['STOP!!!', { name: 'stop', now: false, reason: '' }],
    ['stop now', { name: 'stop', now: true, reason: '' }],
    ['stop now it hangs', { name: 'stop', now: true, reason: 'it hangs' }],
    ['stop nowhere near done', { name: 'stop', now: false, reason: 'nowhere near done' }],
    ['rollback', { name: 'rollback', reason: '' }],
    ['rollback errors rise', { name: 'rollback', reason: 'errors rise' }],
    ['close done for today', { name: 'close', reason: 'done for today' }],
    ['audit', { name: 'audit', run: null }],
    ['audit 7', { name: 'audit', run: 7 }],
    ['audit #12', { name: 'audit', run: 12 }],
    ['jobs', { name: 'jobs', verb: 'show' }],
    ['jobs run dl-reconcile', { name: 'jobs', verb: 'run', job: 'dl-reconcile', dryRun: false }],
    ['jobs run `DL-reconcile` --dry-run', { name: 'jobs', verb: 'run', job: 'dl-reconcile', dryRun: true }],
    ['jobs run reclaim-gc \u2014dry-run', { name: 'jobs', verb: 'run', job: 'reclaim-gc', dryRun: true }],
    ['jobs pause all', { name: 'jobs', verb: 'pause', job: 'all', reason: '' }],
    [
      'jobs pause outbox-processor receiver is &lt;down&gt;',
      { name: 'jobs', verb: 'pause', job: 'outbox-processor', reason: 'receiver is <down>' },
    ],
    ['jobs resume ALL', { name: 'jobs', verb: 'resume', job: 'all', reason: '' }],
    ['jobs log matview-refresh', { name: 'jobs', verb: 'log', job: 'matview-refresh' }],
    ['locks', { name: 'locks', verb: 'show' }],
    ['locks cleanup', { name: 'locks', verb: 'cleanup' }],
    [
      'locks release `m10:matview:mv_top_pending`',
      { name: 'locks', verb: 'release', lock: 'm10:matview:mv_top_pending' },
    ],
    ['locks release nightly  report', { name: 'locks', verb: 'release', lock: 'nightly report' }],
    ['outbox', { name: 'outbox', verb: 'show' }],
    ['outbox retry #7', { name: 'outbox', verb: 'retry', id: 7 }],
    ['replays', { name: 'replays', verb: 'show' }],
    ['replays cleanup --older-than 30d', { name: 'replays', verb: 'cleanup', olderThanMs: 30 * 86_400_000 }],
    [
      'replays cleanup \u2014older-than=36h',
      { name: 'replays', verb: 'cleanup', olderThanMs: 36 * 3_600_000 },
    ],
    ['replay 1718000000000-0', { name: 'replay', message: '1718000000000-0' }],
  ])('reads %j', (text, expected) => {
    expect(command(text)).toEqual(expected);
  });

  it('gives a reason back as it was typed, with mentions by name', () => {
    const text =
      'close a &lt;b&gt; &amp;amp; <@U0BOB00001|bob> in <#C1|ops>, <!here>, <https://x.test/?a=1|x>';
    expect(command(text)).toEqual({
      name: 'close',
      reason: 'a <b> &amp; @bob in #ops, @here, https://x.test/?a=1',
    });
  });

  it.each([
    ['nxt', '/m10 next'],
    ['preflihgt', '/m10 preflight'],
    ['pre', '/m10 preflight'],
    ['roll-back', '/m10 rollback [REASON]'],
    ['stpo', '/m10 stop [now] [REASON]'],
    ['Statuss', '/m10 status'],
    ['statsu now', '/m10 status'],
  ])('answers %j with the nearest command and its usage', (text, usage) => {
    expect(error(text)).toMatchObject({ code: 'unknown_command' });
    expect(error(text).instead).toContain(`\`${usage}\``);
  });

  it('does not guess at what is far from every command', () => {
    expect(error('xylophone-concert').instead).toBe('`/m10 help` lists the commands.');
  });

  it.each(['skip', 'skip smoke', 'close', 'next phase', 'preflight now', 'audit seven', 'audit 1 2'])(
    'answers %j with its usage',
    (text) => {
      const [name] = text.split(' ');
      expect(error(text)).toMatchObject({ code: 'bad_arguments', command: `/m10 ${name}` });
      expect(error(text).instead).toMatch(/^Say `\/m10 /);
    },
  );

  it.each([
    ['jobs run dl-reconcil', 'There is no job "dl-reconcil".', '`dl-reconcile`'],
    ['jobs pause al', 'There is no job "al".', '`all`'],
    ['jobs run all', 'There is no job "all".', '`outbox-processor`, `dl-reconcile`'],
    ['jobs run', 'Which job?', '/m10 jobs run JOB [--dry-run]'],
    ['jobs run reclaim-gc --wet-run', '--dry-run at most', '/m10 jobs run JOB [--dry-run]'],
    ['jobs puase all', 'has no "puase"', '/m10 jobs pause JOB [REASON]'],
    ['jobs log', 'Which job?', '/m10 jobs log JOB'],
    ['jobs log reclaim-gc 5', 'one job', '/m10 jobs log JOB'],
    ['locks relaese x', 'has no "relaese"', '/m10 locks release NAME'],
    ['locks release', 'names one lock', '/m10 locks release NAME'],
    ['locks cleanup now', 'nothing more', '/m10 locks cleanup'],
    ['outbox retry', 'by its number', '/m10 outbox retry ID'],
    ['outbox retry seven', 'by its number', '/m10 outbox retry ID'],
    ['outbox retry 0', 'by its number', '/m10 outbox retry ID'],
    ['outbox xylophone', 'has no "xylophone"', '/m10 outbox retry ID'],
    ['replays cleanup', 'how old', '--older-than'],
    ['replays cleanup 30d', 'how old', '--older-than'],
    ['replays cleanup --older-than 30', '"30" is no age', '--older-than'],
    ['replays cleanup --older-than 23h', 'At least 1d', '--older-than'],
    ['replays cleanup --older-than 999999999999d', 'is no age', '--older-than'],
    ['replay', 'id of one dead letter', '/m10 replay MESSAGE_ID'],
    ['replay 17', 'id of one dead letter', '/m10 replay MESSAGE_ID'],
    ['replay 1-0 2-0', 'id of one dead letter', '/m10 replay MESSAGE_ID'],
  ])('answers %j with what is wrong and what is meant', (text, why, instead) => {
    expect(error(text)).toMatchObject({ code: 'bad_arguments' });
    expect(error(text).why).toContain(why);
    expect(error(text).instead).toContain(instead);
    expect((error(text).why + error(text).instead).length).toBeLessThan(300);
  });

  it('refuses a reason that is too long, but never a stop', () => {
    const long = 'x'.repeat(MAX_REASON + 1);
    expect(error(`close ${long}`).why).toContain(`${MAX_REASON}`);
    expect(error(`jobs resume all ${long}`).why).toContain(`${MAX_REASON}`);
    expect(command(`jobs pause all ${long}`)).toMatchObject({ reason: expect.stringMatching(/x…$/) });
    expect(command(`stop ${long}`)).toMatchObject({ name: 'stop', reason: expect.stringMatching(/x…$/) });
    expect(command(`stop now ${'`'.repeat(100_000)}`)).toMatchObject({ name: 'stop', now: true });
  });

  it('refuses 100 kB of backticks politely and briefly', () => {
    for (const text of ['`'.repeat(100_000), `rollback ${'`'.repeat(100_000)}`]) {
      const { why, instead } = error(text);
      expect(why).toMatch(/characters/);
      expect((why + instead).length).toBeLessThan(300);
      expect(why + instead).not.toContain('``');
    }
  });

  it('takes any text, answers briefly, and never reads a stop as anything else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        const parsed = parse(text);
        if (parsed.kind === 'error') expect((parsed.why + parsed.instead).length).toBeLessThan(300);
        for (const word of [
          'jobs',
          'jobs run',
          'locks',
          'locks release',
          'outbox',
          'replays cleanup',
          'replay',
        ]) {
          const m10 = parse(`${word} ${text}`);
          if (m10.kind === 'error') expect((m10.why + m10.instead).length).toBeLessThan(300);
        }
        expect(parse(`stop ${text}`)).toMatchObject({ kind: 'command', command: { name: 'stop' } });
      }),
    );
  });

  it('finds every command from any single typo that is no other command', () => {
    fc.assert(
      fc.property(fc.constantFrom(...commandNames), fc.nat(), (name, at) => {
        const i = at % name.length;
        const typo = `${name.slice(0, i)}q${name.slice(i + 1)}`;
        expect(error(typo).instead).toContain(`/m10 ${name}`);
      }),
    );
  });
});

describe('what was pasted', () => {
  it.each([
    ['a sign that nobody sees in front', '\u200bstop', { name: 'stop', now: false, reason: '' }],
    ['a word joiner and a byte order mark', '\u2060\ufeffstop now', { name: 'stop', now: true, reason: '' }],
    ['backticks around it', '`stop now it hangs`', { name: 'stop', now: true, reason: 'it hangs`' }],
    ['backticks and the slash', '`/m10 stop`', { name: 'stop', now: false, reason: '' }],
    ['quotation marks', '"stop!"', { name: 'stop', now: false, reason: '' }],
    ['printed quotation marks', '\u201cstop\u201d', { name: 'stop', now: false, reason: '' }],
    ['wide letters', '\uff53\uff54\uff4f\uff50', { name: 'stop', now: false, reason: '' }],
    ['a soft hyphen within', 'st\u00adop', { name: 'stop', now: false, reason: '' }],
    ['its own name in front', '/m10 next', { name: 'next' }],
    ['blanks of other kinds', 'skip\u00a0smoke\u2003flaky', { name: 'skip', step: 'smoke', reason: 'flaky' }],
    [
      'a no-break hyphen in a name',
      'jobs log outbox\u2011processor',
      { name: 'jobs', verb: 'log', job: 'outbox-processor' },
    ],
    [
      'two long dashes',
      'jobs run reclaim-gc \u2014\u2014dry\u2010run',
      { name: 'jobs', verb: 'run', job: 'reclaim-gc', dryRun: true },
    ],
    ['a minus sign in an id', 'replay 1718000000000\u22120', { name: 'replay', message: '1718000000000-0' }],
    [
      'a dash in an option',
      'replays cleanup \u2212\u2212older\u2013than 30d',
      { name: 'replays', verb: 'cleanup', olderThanMs: 30 * 86_400_000 },
    ],
    ['a number with a sign after it', 'audit 7\u200b', { name: 'audit', run: 7 }],
  ])('%s', (_what, text, expected) => {
    expect(command(text)).toEqual(expected);
  });

  it('keeps the characters of a reason', () => {
    expect(command('close “done” – as of 5\u00a0pm')).toEqual({
      name: 'close',
      reason: '“done” – as of 5 pm',
    });
  });

  it('shows what cannot be seen when a word is not known', () => {
    expect(error('ne\u200bxtt\u200b').why).toContain('<U+200B>');
  });
});
