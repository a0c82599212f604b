import { expect, test } from 'vitest';
import { createPeople } from '../../../workspace/slack/client.js';
import { CHANNELS, USERS } from '../../../workspace/slack/people.js';
import { createSlackStandIn } from '../../../workspace/slack/server.js';

const channel = CHANNELS.incident;

/** Timers that keep this process alive. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((r) => r === 'Timeout').length;
}

test('closing ends long polls, retries and the server', async () => {
  const before = timers();
  const slack = await createSlackStandIn();
  const people = createPeople(slack.peopleUrl);
  const { ts = '' } = await people.say({ user: USERS.alice, channel, text: 'x' });
  await people.react({ user: USERS.bob, channel, ts, emoji: 'x' });
  // Two attempts are over; the third waits for a minute.
  const { events } = await people.until(async () => {
    const seen = await people.deliveries({});
    return seen.events[0]?.attempts.length === 2 ? seen : undefined;
  });
  expect(events[0]?.attempts).toEqual(['nobody', 'nobody']);
  const { cursor } = await people.since({});
  const poll = people.since({ cursor, wait_ms: 60_000 }).then(
    () => 'ended',
    () => 'ended',
  );
  await people.calls({});
  expect(timers()).toBeGreaterThan(before);
  await slack.close();
  expect(await poll).toBe('ended');
  await expect(people.calls({})).rejects.toThrow();
  expect(timers()).toBeLessThanOrEqual(before);
});

test('what nobody says is told with the last messages', async () => {
  const slack = await createSlackStandIn();
  try {
    const people = createPeople(slack.peopleUrl);
    await people.say({ user: USERS.alice, channel, text: 'only this' });
    await expect(people.waitFor(channel, (m) => m.text === 'that', 30)).rejects.toThrow(
      /in vain for.*\n.*only this/s,
    );
    const soon = people.waitFor(channel, (m) => m.text === 'that');
    await people.say({ user: USERS.bob, channel, text: 'that' });
    expect(await soon).toMatchObject({ user: USERS.bob });
  } finally {
    await slack.close();
  }
});

test('people cannot do what Slack would not let them', async () => {
  const slack = await createSlackStandIn();
  try {
    const people = createPeople(slack.peopleUrl);
    const say = (user: string, text: string, more = {}) => people.say({ user, channel, text, ...more });
    await expect(say(USERS.alice, '/deploy')).rejects.toMatchObject({ code: 'unknown_command' });
    await expect(say(USERS.dora, 'hi')).rejects.toMatchObject({ code: 'account_inactive' });
    await expect(say(USERS.rob, '/m10 next')).rejects.toMatchObject({ code: 'not_human' });
    await expect(say(USERS.alice, '/m10 next', { thread_ts: '1.0' })).rejects.toMatchObject({
      code: 'not_in_thread',
    });
    await expect(people.read({ channel: 'C0NOWHERE1' })).rejects.toMatchObject({ code: 'channel_not_found' });
  } finally {
    await slack.close();
  }
});
