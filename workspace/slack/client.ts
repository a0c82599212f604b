import { z } from 'zod';
import { PersonError } from './errors.js';
import {
  type Given,
  type Got,
  type SeenEphemeral,
  type SeenMessage,
  type SeenView,
  shapes,
  type Verb,
} from './people/protocol.js';

/** People in the workspace, and its weather: one function for each verb of the protocol, and ways to wait. */
export type People = {
  [V in Verb]: (input: Given<V>) => Promise<Got<V>>;
} & {
  /**
   * Waits for a message in a channel.
   *
   * @throws Error with the channel's last messages when none comes within `timeoutMs`
   */
  waitFor(
    channel: string,
    predicate: (message: SeenMessage) => boolean,
    timeoutMs?: number,
  ): Promise<SeenMessage>;
  /** Waits for a message that only `user` sees. */
  waitForEphemeral(
    user: string,
    predicate: (message: SeenEphemeral) => boolean,
    timeoutMs?: number,
  ): Promise<SeenEphemeral>;
  /** Waits for a modal that `user` has open. */
  waitForView(user: string, predicate: (view: SeenView) => boolean, timeoutMs?: number): Promise<SeenView>;
  /** Looks again after every change until `look` gives something, for at most `timeoutMs`. */
  until<T>(look: () => Promise<T | undefined>, timeoutMs?: number, what?: () => Promise<string>): Promise<T>;
};

const failure = z.object({ code: z.string(), message: z.string() });

const WAIT_MS = 15_000;

/**
 * A client of the people API.
 *
 * @param baseUrl - the stand-in's `peopleUrl`
 */
export function createPeople(baseUrl: string): People {
  const base = baseUrl.replace(/\/$/, '');

  async function call<V extends Verb>(verb: V, input: Given<V>): Promise<Got<V>> {
    const response = await fetch(`${base}/${verb}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(input),
    });
    const body: unknown = await response.json();
    if (!response.ok) {
      const { code, message } = failure.parse(body);
      throw new PersonError(code, `${verb}: ${message}`);
    }
    return shapes[verb].out.parse(body);
  }

  async function until<T>(
    look: () => Promise<T | undefined>,
    timeoutMs = WAIT_MS,
    what: () => Promise<string> = async () => 'it',
  ): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    // The cursor is read before looking, so that a change between the two is not missed.
    let { cursor } = await call('since', { cursor: Number.MAX_SAFE_INTEGER });
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`Waited ${timeoutMs} ms in vain for ${await what()}`);
      ({ cursor } = await call('since', { cursor, wait_ms: Math.min(left, 5000) }));
    }
  }

  const tail = (texts: string[]) => `a message; the last ones are:\n${texts.slice(-8).join('\n')}`;
  return {
    say: (input) => call('say', input),
    react: (input) => call('react', input),
    unreact: (input) => call('unreact', input),
    press: (input) => call('press', input),
    submit: (input) => call('submit', input),
    closeView: (input) => call('closeView', input),
    openHome: (input) => call('openHome', input),
    read: (input) => call('read', input),
    ephemerals: (input) => call('ephemerals', input),
    views: (input) => call('views', input),
    file: (input) => call('file', input),
    since: (input) => call('since', input),
    setUser: (input) => call('setUser', input),
    setGroup: (input) => call('setGroup', input),
    setPlan: (input) => call('setPlan', input),
    setChannel: (input) => call('setChannel', input),
    deleteMessage: (input) => call('deleteMessage', input),
    deleteFile: (input) => call('deleteFile', input),
    join: (input) => call('join', input),
    leave: (input) => call('leave', input),
    setMode: (input) => call('setMode', input),
    outage: (input) => call('outage', input),
    dropSockets: (input) => call('dropSockets', input),
    setRateLimits: (input) => call('setRateLimits', input),
    failNext: (input) => call('failNext', input),
    redeliver: (input) => call('redeliver', input),
    calls: (input) => call('calls', input),
    deliveries: (input) => call('deliveries', input),
    until,
    async waitFor(channel, predicate, timeoutMs) {
      const all = async () => (await call('read', { channel })).messages;
      return until(
        async () => (await all()).find(predicate),
        timeoutMs,
        async () => tail((await all()).map((m) => m.text)),
      );
    },
    async waitForEphemeral(user, predicate, timeoutMs) {
      const all = async () => (await call('ephemerals', { user })).ephemerals;
      return until(
        async () => (await all()).find(predicate),
        timeoutMs,
        async () => tail((await all()).map((m) => m.text)),
      );
    },
    async waitForView(user, predicate, timeoutMs) {
      return until(
        async () => (await call('views', { user })).views.find(predicate),
        timeoutMs,
        async () => `a modal of ${user}`,
      );
    },
  };
}
