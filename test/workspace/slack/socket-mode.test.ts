import { afterEach, describe, expect, test } from 'vitest';
import { CHANNELS, USERS } from '../../../workspace/slack/people.js';
import { connectBolt, openWorkspace, type Workspace } from './support.js';

let workspace: Workspace | undefined;
afterEach(async () => {
  await workspace?.close();
  workspace = undefined;
});

const incident = CHANNELS.incident;

describe('Socket Mode with Bolt', () => {
  test('a command reaches the app with its mentions escaped, and the answer reaches its author', async () => {
    workspace = await openWorkspace();
    const { people } = workspace;
    await connectBolt(workspace, (app) => {
      app.command('/m10', async ({ command, ack, respond }) => {
        await ack(`got ${command.text}`);
        await respond({ text: 'and later', response_type: 'ephemeral' });
      });
    });
    const said = await people.say({
      user: USERS.alice,
      channel: incident,
      text: '/m10 hand over to @bob in #random & co',
    });
    expect(said).toMatchObject({ ok: true });
    expect(said.responses.map((r) => r.text)).toContain(
      `got hand over to <@${USERS.bob}|bob> in <#${CHANNELS.elsewhere}|random> &amp; co`,
    );
    const later = await people.waitForEphemeral(USERS.alice, (e) => e.via === 'response_url');
    expect(later).toMatchObject({ text: 'and later', trigger_id: said.trigger_id, channel: incident });
    expect((await people.ephemerals({ user: USERS.bob })).ephemerals).toEqual([]);
  });

  test('a reaction reaches the app, and the app answers in the thread', async () => {
    workspace = await openWorkspace();
    const { people } = workspace;
    const app = await connectBolt(workspace, (bolt) => {
      bolt.event('reaction_added', async ({ event, client }) => {
        await client.chat.postMessage({
          channel: event.item.channel,
          thread_ts: event.item.ts,
          text: `${event.user} ${event.reaction} ${event.item_user}`,
        });
      });
    });
    const gate = await app.client.chat.postMessage({ channel: incident, text: 'Approve?' });
    const ts = gate.ts ?? '';
    await people.react({ user: USERS.bob, channel: incident, ts, emoji: '✅' });
    const reply = await people.waitFor(incident, (m) => m.thread_ts === ts);
    expect(reply.text).toBe(`${USERS.bob} white_check_mark ${USERS.bot}`);
    const got = await app.client.reactions.get({ channel: incident, timestamp: ts, full: true });
    expect(got.message?.reactions).toEqual([{ name: 'white_check_mark', users: [USERS.bob], count: 1 }]);
    await people.unreact({ user: USERS.bob, channel: incident, ts, emoji: 'white_check_mark' });
    const { messages } = await people.read({ channel: incident });
    expect(messages[0]).toMatchObject({ reactions: [], replies: [reply.ts] });
  });

  test('a button opens a modal, which is refused, corrected and closed', async () => {
    workspace = await openWorkspace();
    const { people } = workspace;
    const seen: unknown[] = [];
    const app = await connectBolt(workspace, (bolt) => {
      bolt.action('skip', async ({ ack, body, client, action }) => {
        await ack();
        if (body.type !== 'block_actions' || action.type !== 'button') return;
        seen.push(action.value, body.container.type);
        await client.views.open({
          trigger_id: body.trigger_id,
          view: {
            type: 'modal',
            callback_id: 'reason',
            title: { type: 'plain_text', text: 'Skip a step' },
            submit: { type: 'plain_text', text: 'Skip' },
            blocks: [
              {
                type: 'input',
                block_id: 'why',
                label: { type: 'plain_text', text: 'Why?' },
                element: { type: 'plain_text_input', action_id: 'text' },
              },
            ],
          },
        });
      });
      bolt.view('reason', async ({ ack, view }) => {
        const text = view.state.values.why?.text?.value ?? '';
        if (text === 'because') await ack({ response_action: 'errors', errors: { why: 'Say more.' } });
        else {
          await ack();
          seen.push(text);
        }
      });
    });
    const { ts } = await app.client.chat.postMessage({
      channel: incident,
      text: 'Failed',
      blocks: [
        {
          type: 'actions',
          block_id: 'b',
          elements: [
            { type: 'button', action_id: 'skip', value: '7', text: { type: 'plain_text', text: 'Skip' } },
          ],
        },
      ],
    });
    const at = { user: USERS.alice, channel: incident, ts: ts ?? '' };
    await expect(people.press({ ...at, action_id: 'retry' })).rejects.toThrow('there are: skip');
    expect(await people.press({ ...at, action_id: 'skip' })).toMatchObject({ ok: true });
    const modal = await people.waitForView(USERS.alice, () => true);
    const form = { user: USERS.alice, view_id: modal.id };
    expect(await people.submit(form)).toMatchObject({ ok: false, errors: { why: expect.any(String) } });
    expect(await people.submit({ ...form, values: { text: 'because' } })).toMatchObject({
      errors: { why: 'Say more.' },
    });
    const done = await people.submit({
      ...form,
      values: { why: { text: 'The check is known to be wrong' } },
    });
    expect(done).toMatchObject({ ok: true, closed: true });
    expect((await people.views({ user: USERS.alice })).views).toEqual([]);
    expect(seen).toEqual(['7', 'message', 'The check is known to be wrong']);
  });

  test('a file goes into the thread with its content', async () => {
    workspace = await openWorkspace();
    const { people } = workspace;
    const app = await connectBolt(workspace, () => {});
    const { ts = '' } = await app.client.chat.postMessage({ channel: incident, text: 'Step 3' });
    const upload = {
      channel_id: incident,
      filename: 'plan.sql',
      title: 'SQL of 022',
      content: 'CREATE TABLE é ();',
      initial_comment: 'What will run',
    };
    await app.client.filesUploadV2({ ...upload, thread_ts: ts });
    const shared = await people.waitFor(incident, (m) => m.files.length > 0);
    expect(shared).toMatchObject({
      thread_ts: ts,
      text: 'What will run',
      files: [{ name: 'plan.sql', title: 'SQL of 022' }],
    });
    const file = await people.file({ id: shared.files[0]?.id ?? '' });
    expect(Buffer.from(file.content, 'base64').toString()).toBe('CREATE TABLE é ();');
    await expect(app.client.filesUploadV2({ ...upload, thread_ts: shared.ts })).rejects.toThrow(
      'invalid_thread_ts',
    );
  });

  test('an app that is not connected costs the person an error and the event a retry', async () => {
    workspace = await openWorkspace({ retryScheduleMs: [0, 50] });
    const { people } = workspace;
    const { ts = '' } = await people.say({ user: USERS.alice, channel: incident, text: 'hello' });
    expect(await people.say({ user: USERS.alice, channel: incident, text: '/m10 help' })).toMatchObject({
      ok: false,
      error: 'dispatch_failed',
    });
    await people.react({ user: USERS.bob, channel: incident, ts, emoji: 'x' });
    const attempts = await people.until(async () => {
      const [event] = (await people.deliveries({})).events;
      return event?.attempts.length === 3 ? event.attempts : undefined;
    });
    expect(attempts).toEqual(['nobody', 'nobody', 'nobody']);
  });

  test('an event without acknowledgement comes again, with the number and reason of the retry', async () => {
    workspace = await openWorkspace({ retryScheduleMs: [0, 20], ackTimeoutMs: 100 });
    const { people } = workspace;
    const retries: unknown[] = [];
    await connectBolt(workspace, (app) => {
      const process = app.processEvent.bind(app);
      app.processEvent = async (event) => {
        retries.push([event.retryNum, event.retryReason, event.body.event_id]);
        if (retries.length < 3) throw new Error('not stored');
        await process(event);
      };
    });
    const { ts = '' } = await people.say({ user: USERS.alice, channel: incident, text: 'hello' });
    await people.react({ user: USERS.bob, channel: incident, ts, emoji: 'x' });
    const event = await people.until(async () => {
      const [first] = (await people.deliveries({})).events;
      return first?.attempts.length === 3 ? first : undefined;
    });
    expect(event.attempts).toEqual(['timeout', 'timeout', 'acknowledged']);
    expect(retries).toEqual([
      [0, '', event.eventId],
      [1, 'timeout', event.eventId],
      [2, 'timeout', event.eventId],
    ]);
  });

  test.each(['cut', 'refresh_requested'] as const)('the app comes back after %s', async (how) => {
    workspace = await openWorkspace();
    const { people } = workspace;
    await connectBolt(workspace, (app) => {
      app.command('/m10', async ({ ack }) => ack('here'));
    });
    const sockets = async (count: number) =>
      people.until(async () => ((await people.deliveries({})).sockets === count ? true : undefined));
    await sockets(1);
    await people.dropSockets({ how });
    await sockets(0);
    await sockets(1);
    expect(await people.say({ user: USERS.alice, channel: incident, text: '/m10' })).toMatchObject({
      ok: true,
      responses: [{ text: 'here' }],
    });
  });
});
