import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runbook } from '../runbook/spec.js';
import { CHANNELS, createScene, poll, type Scene, USERS } from './support.js';

describe.each(['socket', 'http'] as const)('commands over %s', (mode) => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await createScene(`commands_${mode}`);
    await scene.startBot(mode);
  });
  afterAll(() => scene.close());

  const lastMessage = async () => (await scene.people.read({ channel: CHANNELS.incident })).messages.at(-1);

  it('answers help, a typo and an impossible text to the person alone', async () => {
    for (const [text, expected] of [
      ['/m10', 'preflight'],
      ['/m10 help', '/m10 audit [RUN]'],
    ] as const) {
      const { responses } = await scene.say(USERS.dave, text);
      expect(JSON.stringify(responses)).toContain(expected);
    }
    expect((await scene.ask(USERS.dave, '/m10 statsu')).text).toContain('/m10 status');
    expect((await scene.ask(USERS.dave, `/m10 ${'`'.repeat(7_000)}`)).text).toContain('characters');
    expect((await scene.people.read({ channel: CHANNELS.incident })).messages).toEqual([]);
    expect(await scene.journal.streams('', 10)).not.toContainEqual(expect.stringMatching(/^(run|desk):/));
  });

  it('shows the status to the channel, also when there was no run yet', async () => {
    expect((await scene.say(USERS.dave, '/m10 status')).responses).toEqual([]);
    expect((await lastMessage())?.text).toContain('No run is open');
  });

  it('refuses what is impossible now, to the person and for the record', async () => {
    const answer = await scene.ask(USERS.alice, '/m10 next');
    expect(answer.text).toContain('No run is open');
    expect(answer.text).toContain('/m10 preflight');
    expect(await scene.events(`desk:${CHANNELS.incident}`)).toMatchObject([
      { type: 'CommandRefused', by: USERS.alice, command: '/m10 next', code: 'no_run' },
    ]);
  });

  it('refuses a command from another channel and names the right one', async () => {
    const answer = await scene.ask(USERS.alice, '/m10 preflight', CHANNELS.elsewhere);
    expect(answer.text).toContain(CHANNELS.incident);
    expect((await scene.events(`desk:${CHANNELS.incident}`)).at(-1)).toMatchObject({ code: 'wrong_channel' });
    expect((await scene.ask(USERS.dave, '/m10 status', CHANNELS.elsewhere)).text).toContain(
      CHANNELS.incident,
    );
  });

  it('lets operators alone open a run, one on the same targets', async () => {
    expect((await scene.ask(USERS.dave, '/m10 preflight')).text).toContain('operators');
    const answers = await Promise.all([
      scene.ask(USERS.alice, '/m10 preflight'),
      scene.ask(USERS.alice, '/m10 preflight'),
    ]);
    const texts = answers.map((a) => a.text);
    expect(texts.filter((t) => t.includes('is open: A sample procedure'))).toHaveLength(1);
    expect(texts.filter((t) => /Run \d+ holds .*production/.test(t))).toHaveLength(1);
    const holders = await scene.runs.holders(['staging', 'production']);
    expect(new Set(holders.map((h) => h.run)).size).toBe(1);
  });

  it('drives the open run, and tells its stream of refusals', async () => {
    const [{ run } = expect.unreachable()] = await scene.runs.holders(['staging']);
    expect((await scene.ask(USERS.alice, '/m10 next')).text).toContain('is asked for');
    expect((await scene.ask(USERS.alice, '/m10 next')).text).toContain('already asked for');
    expect((await scene.ask(USERS.dave, '/m10 rollback bad')).text).toContain('Only listed operators');
    expect((await scene.ask(USERS.alice, '/m10 backup')).text).toContain('already asked for');
    expect((await scene.ask(USERS.alice, '/m10 retry')).text).toContain('already asked for');
    expect((await scene.ask(USERS.alice, '/m10 skip look flaky')).text).toContain('already asked for');
    expect((await scene.ask(USERS.dave, '/m10 stop &lt;because&gt; <it> & hangs')).text).toContain(
      'is stopped',
    );
    expect((await scene.ask(USERS.dave, '/m10 stop')).text).toContain('stopped already');
    expect((await scene.ask(USERS.alice, '/m10 resume')).text).toContain('goes ahead');
    const events = await scene.events(`run:${run}`);
    expect(events.filter((e) => e.type === 'CommandRefused').map((e) => ('code' in e ? e.code : ''))).toEqual(
      [
        'target_busy',
        'gate_open',
        'not_an_operator',
        'gate_open',
        'gate_open',
        'gate_open',
        'already_stopped',
      ],
    );
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'StopRequested',
        by: USERS.dave,
        reason: expect.stringContaining('<it> & hangs'),
      }),
    );
  });

  it('records a shown plan, tells the audit with its chain, and closes', async () => {
    const [{ run } = expect.unreachable()] = await scene.runs.holders(['staging']);
    expect((await scene.ask(USERS.dave, '/m10 plan')).text).toContain('comes to the channel');
    expect((await scene.events(`run:${run}`)).at(-1)).toMatchObject({ type: 'PlanShown', by: USERS.dave });
    await scene.say(USERS.dave, '/m10 audit');
    const audit = await scene.people.waitFor(CHANNELS.incident, (m) =>
      m.text.includes(`Audit of run ${run}`),
    );
    expect(audit.text).toContain('The hash chain is whole');
    expect(JSON.stringify(audit.blocks)).toContain('opened run');
    expect((await scene.ask(USERS.alice, '/m10 audit 999')).text).toContain('no run 999');
    expect((await scene.ask(USERS.alice, '/m10 close')).text).toContain('reason');
    expect((await scene.ask(USERS.alice, '/m10 close enough for today')).text).toContain(
      'its targets are free',
    );
    expect((await scene.events(`run:${run}`)).at(-1)).toMatchObject({
      type: 'RunClosed',
      reason: 'enough for today',
      targets: [{ target: 'staging' }, { target: 'production' }],
    });
    expect(await scene.runs.holders(['staging', 'production'])).toEqual([]);
    await scene.say(USERS.dave, '/m10 status');
    expect((await lastMessage())?.text).toContain(`The last one was run ${run}`);
  });

  it('opens a run for a backup or a rollback when none is open', async () => {
    for (const [text, kind] of [
      ['/m10 backup', 'operation'],
      ['/m10 rollback errors rise', 'rollback'],
    ] as const) {
      expect((await scene.ask(USERS.alice, text)).text).toContain('is asked for');
      const [{ run } = expect.unreachable()] = await scene.runs.holders(['production']);
      expect((await scene.state(run)).purpose.kind).toBe(kind);
      expect(await scene.runs.holders(['staging'])).toEqual([]);
      expect((await scene.ask(USERS.alice, '/m10 close tried')).text).toContain('is closed');
    }
  });

  it('shares every entry of an audit as a file when the message folds or cuts one', async () => {
    await scene.ask(USERS.alice, '/m10 backup');
    const [{ run } = expect.unreachable()] = await scene.runs.holders(['production']);
    const reason = `${'because it is so '.repeat(28)}THE-END`;
    expect((await scene.ask(USERS.alice, `/m10 close ${reason}`)).text).toContain('is closed');
    await scene.say(USERS.dave, `/m10 audit ${run}`);
    const shared = await scene.people.waitFor(CHANNELS.incident, (m) =>
      m.files.some(({ name }) => name.startsWith(`audit-run-${run}-`)),
    );
    const { content } = await scene.people.file({ id: shared.files[0]?.id ?? '' });
    const text = Buffer.from(content, 'base64').toString('utf8');
    expect(text).toMatch(/^\d{4}-\d\d-\d\dT.*Z U\w+ opened run/);
    expect(text).toContain('THE-END');
    expect(text).toContain('The hash chain is whole');
    const { messages } = await scene.people.read({ channel: CHANNELS.incident });
    const trail = messages.find((m) => m.text.includes(`Audit of run ${run}`));
    expect(trail?.text).toContain('Every entry by itself is in the file');
  });

  it('needs one round trip to the database for a status that has not changed', async () => {
    await scene.say(USERS.dave, '/m10 status');
    // The worker's timer asks now and then; a hundred looks drown that out.
    const before = scene.queries();
    for (let i = 0; i < 100; i += 1) await scene.say(USERS.dave, '/m10 status');
    expect(scene.queries() - before).toBeLessThan(200);
    expect(scene.queries() - before).toBeGreaterThanOrEqual(100);
  });

  it('keeps no token, trigger or answer address of what is handled', async () => {
    const { rows } = await poll(async () => {
      const found = await scene.pool.query<{ row: string; state: string }>(
        'SELECT item::text AS row, state FROM m10bot.inbox AS item',
      );
      return found.rows.every((r) => r.state === 'done') ? found : undefined;
    });
    const all = rows.map((r) => r.row).join('\n');
    expect(rows.length).toBeGreaterThan(100);
    expect(all).not.toMatch(/response_url|trigger|local-verification-token/);
  });
});

it('says no when the runbook cannot be read, and when the plan cannot be worked out', async () => {
  const scene = await createScene('commands_broken');
  try {
    let broken = true;
    await scene.startBot('socket', {
      loadRunbook: async () => {
        if (broken) throw new Error('line 3: phases is missing');
        return { runbook, digest: 'd' };
      },
      planOf: () => Promise.reject(new Error('alembic is not there')),
    });
    expect((await scene.ask(USERS.alice, '/m10 preflight')).text).toContain('line 3: phases is missing');
    expect((await scene.ask(USERS.dave, '/m10 plan')).text).toContain('line 3: phases is missing');
    broken = false;
    expect((await scene.ask(USERS.dave, '/m10 plan')).text).toContain('alembic is not there');
  } finally {
    await scene.close();
  }
});
