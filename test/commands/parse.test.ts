import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_REASON, type Parsed, parse } from '../../src/commands/parse.js';
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

  it('refuses a reason that is too long, but never a stop', () => {
    const long = 'x'.repeat(MAX_REASON + 1);
    expect(error(`close ${long}`).why).toContain(`${MAX_REASON}`);
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
