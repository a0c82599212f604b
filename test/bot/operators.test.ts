import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needsOperator, spokenAs } from '../../src/commands/as-operator.js';
import { parse } from '../../src/commands/parse.js';
import { type UsageName, usages } from '../../src/commands/usages.js';
import { CHANNELS, createScene, type Scene, USERS } from './support.js';

let scene: Scene;
const { alice, gina, gus, stan } = USERS;

beforeAll(async () => {
  scene = await createScene('operators');
  await scene.startBot('socket', {}, [alice, gina, gus, stan]);
});
afterAll(() => scene.close());
const runs = async () => (await scene.journal.streams('run:', 10)).length;

describe('a listed operator', () => {
  it.each([
    ['a guest of one channel', gina, 'guest', 'you are a guest'],
    ['a guest', gus, 'guest', 'you are a guest'],
    ['a stranger', stan, 'stranger', 'you are from outside the workspace'],
  ])('who is %s is refused with the reason, on the record', async (_, user, code, reason) => {
    for (const words of ['/m10 preflight', '/m10 next', '/m10 close enough']) {
      const answer = await scene.ask(user, words);
      expect(answer.text).toContain(reason);
    }
    const recorded = (await scene.events(`desk:${CHANNELS.incident}`)).filter(
      (e) => 'by' in e && e.by === user,
    );
    expect(recorded.map((e) => ('code' in e ? e.code : ''))).toEqual([code, code, code]);
    expect(await runs()).toBe(0);
  });

  it('of whatever kind may look and stop', async () => {
    expect((await scene.ask(gus, '/m10 jobs pause all')).text).not.toContain('guest');
    expect((await scene.ask(gus, '/m10 stop')).text).toContain('No run is open');
  });

  it('is looked up again while Slack gives no answer, and is not refused for it', async () => {
    await scene.people.failNext({ method: 'users.info', failure: 'ratelimited', count: 2 });
    const answer = await scene.ask(alice, '/m10 preflight');
    expect(answer.text).toMatch(/^Run \d+/);
    expect(await runs()).toBe(1);
    const desk = await scene.events(`desk:${CHANNELS.incident}`);
    expect(desk.filter((e) => 'by' in e && e.by === alice)).toEqual([]);
  });

  it('is told that Slack gave no answer when it never does, and nothing is done', async () => {
    await scene.people.failNext({ method: 'users.info', failure: 'internal_error', count: 100 });
    const answer = await scene.ask(alice, '/m10 close enough');
    expect(answer.text).toMatch(/Slack was asked several times who you are.*Nothing was done/);
    const stopped = await scene.ask(alice, '/m10 stop');
    expect(stopped.text).toContain('is stopped');
  });
});

describe('which commands ask for it', () => {
  const examples: Partial<Record<UsageName, string>> = {
    skip: 'skip a.step because',
    close: 'close enough',
    'jobs run': 'jobs run reclaim-gc',
    'jobs pause': 'jobs pause all',
    'jobs resume': 'jobs resume all',
    'jobs log': 'jobs log reclaim-gc',
    'locks release': 'locks release a-lock',
    'outbox retry': 'outbox retry 7',
    'replays cleanup': 'replays cleanup --older-than 30d',
    replay: 'replay 1718000000000-0',
  };

  it.each(Object.entries(usages))('%s: as its usage says', (name, { who }) => {
    const parsed = parse(Object.entries(examples).find(([key]) => key === name)?.[1] ?? name);
    if (parsed.kind === 'error') return expect.unreachable(`${name}: ${parsed.why}`);
    expect(spokenAs(parsed.command)).toBe(`/m10 ${name}`);
    expect(needsOperator(parsed.command)).toBe(who === 'operators');
  });
});
