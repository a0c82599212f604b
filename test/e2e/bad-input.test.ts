import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHANNELS, USERS } from '../../workspace/slack/people.js';
import { compiled } from '../support/compiled.js';
import { gate, told, words } from './acts.js';
import { cheap, leaveMark, openShelf, phase, type Shelf } from './runbooks.js';
import { channel, openTheatre, type Play, type Theatre } from './support.js';

let theatre: Theatre;
let shelf: Shelf;
let play: Play;
let cli: string;
let runbook: string;
beforeAll(async () => {
  cli = join(await compiled(), 'src', 'cli.js');
  theatre = await openTheatre();
  shelf = await openShelf();
  runbook = await shelf.write(cheap([phase('one', [leaveMark('one.change', '/dev/null')])]));
  play = await theatre.open({ runbook });
});
afterAll(async () => {
  await theatre.close();
  await shelf.close();
});

/** Runs the program with a changed copy of the trial's configuration; what it says and how it ends. */
async function program(args: readonly string[], change: (yaml: string) => string, env = {}) {
  const { directory, configPath, botEnv } = play.trial;
  const file = join(directory, 'changed.yml');
  await writeFile(file, change(await readFile(configPath, 'utf8')));
  const result = await execa(process.execPath, [cli, ...args], {
    cwd: directory,
    extendEnv: false,
    env: { ...botEnv, M10_CONFIG: file, ...env },
    reject: false,
    timeout: 30_000,
  });
  return { exitCode: result.exitCode, said: `${result.stdout}\n${result.stderr}` };
}

const asIs = (yaml: string) => yaml;

describe('the start', () => {
  it('tells every mistake of the configuration at once: place, found, expected', async () => {
    const { exitCode, said } = await program(
      ['start'],
      (yaml) =>
        yaml
          .replace(`channel: ${channel}`, 'channel: incidents')
          .replace(`- ${USERS.alice}`, '- alice')
          .replace('min-free: 64MiB', 'min-free: plenty')
          .replace('state:', 'stat:'),
      { SLACK_BOT_TOKEN: '' },
    );
    expect(exitCode).toBe(1);
    for (const line of [
      /SLACK_BOT_TOKEN: expected the bot token.*found/,
      /changed\.yml:\d+:\d+ slack\.channel: expected the id of a channel.*found "incidents"/,
      /changed\.yml:\d+:\d+ operators\.0: expected a Slack user id.*found "alice"/,
      /changed\.yml:\d+:\d+ backups\.min-free: expected a size with its unit, such as 500MiB or 2GiB, found "plenty"/,
      /changed\.yml:\d+:\d+ stat: this key is not known here/,
    ]) {
      expect(said).toMatch(line);
    }
    expect(said).toContain('has not done anything');
    expect(said).not.toContain('    at ');
  });

  it('tells every mistake of the runbook at once', async () => {
    const broken = join(play.trial.directory, 'broken.yml');
    const good = await readFile(runbook, 'utf8');
    await writeFile(
      broken,
      good
        .replace('uses: command.change', 'uses: command.chanje')
        .replace('on: staging', 'on: stagign')
        .replace('lock-timeout: 3s', 'lock-timeout: a while'),
    );
    const { exitCode, said } = await program(['start'], (yaml) =>
      yaml.replace(/^runbook: .*$/m, `runbook: ${broken}`),
    );
    expect(exitCode).toBe(1);
    for (const line of [
      /broken\.yml:\d+:\d+ phases\.1\.steps\.0\.uses: expected a step kind \(.*command\.change.*\), found "command\.chanje"/,
      /broken\.yml:\d+:\d+ phases\.0\.on: expected one of the runbook's targets \(staging, production\), found "stagign"/,
      /broken\.yml:\d+:\d+ rollback\.steps\.0\.with\.lock-timeout: expected a duration.*found "a while"/,
    ]) {
      expect(said).toMatch(line);
    }
    expect(said).not.toContain('    at ');

    const check = await program(['runbook', 'check', broken], asIs);
    expect(check.exitCode).toBe(1);
    expect(check.said).toMatch(/broken\.yml has 3 problems\./);
  });

  it('does not keep its state in a database that it migrates', async () => {
    const { databases } = play.trial;
    const { exitCode, said } = await program(['start'], asIs, { STATE_DATABASE_URL: databases.production });
    expect(exitCode).toBe(1);
    expect(said).toMatch(/STATE_DATABASE_URL/);
    expect(said).toMatch(/production/);
    const found = await play.query('production', `SELECT 1 FROM pg_namespace WHERE nspname = 'm10bot'`);
    expect(found, 'and has left nothing there').toEqual([]);
  });
});

describe('a command', () => {
  it('that is not known gets the nearest one', async () => {
    await play.say('alice', '/m10 preflihgt');
    const answer = await told(play, 'alice', /There is no command "preflihgt"/);
    expect(answer).toContain('Did you mean `/m10 preflight`?');
    expect(await play.journal()).toEqual([]);
  });

  it('that is not possible now says why, and what is', async () => {
    await play.say('alice', '/m10 next');
    const refused = await play.message('desk:');
    expect(refused.text).toContain(`<@${USERS.alice}> ran \`/m10 next\`; it was not done. No run is open.`);
    expect(refused.text).toContain('`/m10 preflight`');
  });

  it('of somebody who may only look is refused in the open', async () => {
    await play.say('bob', '/m10 preflight');
    const refused = await play.message('desk:', (m) => m.text.includes(`<@${USERS.bob}>`));
    expect(refused.text).toContain('Only listed operators may open a run.');
    expect(refused.text).toContain('everyone may stop');
  });

  it('from another channel counts for nothing and is told where', async () => {
    const { people } = play.trial;
    await people.say({ user: USERS.alice, channel: CHANNELS.privateOps, text: '/m10 preflight' });
    const answer = await told(play, 'alice', /incident channel alone/);
    expect(answer).toContain(`<#${channel}>`);
    expect(await play.journal()).toEqual([]);
  });

  it('of 100 kB of backticks is answered shortly', async () => {
    await play.say('alice', `/m10 ${'`'.repeat(100_000)}`);
    const answer = await told(play, 'alice', /too long: a command takes 2,000 characters at most/);
    expect(answer.length).toBeLessThan(500);
    await play.say('alice', `/m10 ${'`'.repeat(60)} <!channel>`);
    const next = await told(play, 'alice', /That is not a command/);
    expect(next).not.toMatch(/`{2}/);
  });

  it('that lacks its reason is told its form', async () => {
    await play.say('alice', '/m10 skip');
    expect(await told(play, 'alice', /names the step and a reason/)).toContain('`/m10 skip STEP REASON`');
  });
});

it('a hostile reason is text and nothing else, wherever it is shown', async () => {
  const { people } = play.trial;
  await play.preflight();
  await play.say('alice', '/m10 next');
  await gate(play, 1);
  const hostile =
    '<!channel> <!here> <!subteam^S0DBA00001> <https://evil.example|click> *bold* ``` \u202e @everyone &lt;!channel&gt; `</code>`';
  await play.say('alice', `/m10 stop ${hostile}`);
  const stopped = await play.message('run:1:stopped');
  await play.say('alice', `/m10 close ${hostile}`);
  const closed = await play.message('run:1:closed');
  await play.say('alice', '/m10 audit 1');
  const audit = await play.text(/Audit of run 1/);
  expect(words(stopped)).toContain('@everyone');
  expect(words(closed)).toContain('@everyone');
  const { messages } = await people.read({ channel });
  for (const message of [...messages, audit]) {
    const raw = JSON.stringify([message.text, message.blocks]);
    expect(raw).not.toMatch(/<!(channel|here|everyone|subteam)/);
    expect(raw).not.toContain('<https://evil.example');
    expect(raw).not.toContain('\u202e');
    expect(raw).not.toContain('"user_group"');
    expect(raw).not.toContain('"broadcast"');
  }
  const [asked] = (await play.journal()).filter((e) => e.type === 'StopRequested');
  expect(String(asked?.data.reason), 'the record keeps what was typed').toContain('*bold*');
});
