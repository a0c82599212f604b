import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ChangeLog } from '../changes.js';
import { isObject, stringAt, tryParse } from '../json.js';
import { APP } from '../people.js';
import type { Timers } from '../timers.js';
import type { Outcome, Transport } from './transport.js';

/** Slack takes up to ten sockets for an app. */
const MAX_SOCKETS = 10;
const PING_EVERY_MS = 10_000;
const TICKET_LIFE_MS = 30_000;
const GOODBYE_MS = 300;

/** How sockets end: cut without a word, or with Slack's message that asks the app to connect again. */
export type Drop = 'cut' | 'warning' | 'refresh_requested' | 'link_disabled';

/** The Socket Mode end of the stand-in. */
export interface SocketHub extends Transport {
  /** Makes a one-time ticket, for `apps.connections.open`. */
  ticket(): string;
  /** Takes an HTTP upgrade; a request without a fresh ticket is refused. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Sockets that take deliveries now. */
  count(): number;
  drop(how: Drop): void;
  /** Says goodbye to all sockets; cuts those that don't answer soon. */
  close(): Promise<void>;
}

/** @param ackTimeoutMs - how long an envelope may stay unacknowledged (Slack: 3,000 ms) */
export function createSocketHub(timers: Timers, changes: ChangeLog, ackTimeoutMs: number): SocketHub {
  const server = new WebSocketServer({ noServer: true });
  const tickets = new Map<string, () => void>();
  const pending = new Map<string, (body: unknown) => void>();
  // Sockets in the order of their turns; those asked to leave stay connected but get nothing more.
  const turns: WebSocket[] = [];
  const leaving = new Set<WebSocket>();

  const retire = (socket: WebSocket) => {
    const at = turns.indexOf(socket);
    if (at >= 0) turns.splice(at, 1);
    leaving.delete(socket);
  };

  function ask(socket: WebSocket, reason: string): void {
    retire(socket);
    leaving.add(socket);
    socket.send(JSON.stringify({ type: 'disconnect', reason, debug_info: { host: 'applink-local' } }));
    timers.after(PING_EVERY_MS, () => {
      if (leaving.has(socket)) socket.terminate();
    });
  }

  function welcome(socket: WebSocket): void {
    turns.push(socket);
    socket.on('message', (data) => {
      const message = tryParse(String(data));
      const id = stringAt(message, 'envelope_id');
      if (id !== undefined) pending.get(id)?.(isObject(message) ? message.payload : undefined);
    });
    const stopPings = timers.every(PING_EVERY_MS, () => socket.ping(`Ping from local ${Date.now()}`));
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      stopPings();
      retire(socket);
      changes.add({ kind: 'sockets', detail: String(turns.length) });
    });
    socket.send(
      JSON.stringify({
        type: 'hello',
        num_connections: turns.length,
        debug_info: { host: 'applink-local', build_number: 1, approximate_connection_time: 18_060 },
        connection_info: { app_id: APP.id },
      }),
    );
    if (turns.length > MAX_SOCKETS) ask(socket, 'too_many_websockets');
    changes.add({ kind: 'sockets', detail: String(turns.length) });
  }

  return {
    ticket() {
      const ticket = randomUUID();
      tickets.set(
        ticket,
        timers.after(TICKET_LIFE_MS, () => tickets.delete(ticket)),
      );
      return ticket;
    },
    upgrade(request, socket, head) {
      const ticket = new URL(request.url ?? '/', 'http://localhost').searchParams.get('ticket') ?? '';
      const forget = tickets.get(ticket);
      if (forget === undefined) {
        socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
        return;
      }
      forget();
      tickets.delete(ticket);
      server.handleUpgrade(request, socket, head, welcome);
    },
    send(kind, payload, retry) {
      const socket = turns.shift();
      if (socket === undefined) return Promise.resolve<Outcome>({ kind: 'nobody' });
      turns.push(socket);
      const envelopeId = randomUUID();
      return new Promise<Outcome>((resolve) => {
        const cancel = timers.after(ackTimeoutMs, () => {
          pending.delete(envelopeId);
          resolve({ kind: 'timeout' });
        });
        pending.set(envelopeId, (body) => {
          pending.delete(envelopeId);
          cancel();
          resolve({ kind: 'acknowledged', body });
        });
        socket.send(
          JSON.stringify({
            envelope_id: envelopeId,
            payload,
            type: kind,
            accepts_response_payload: kind !== 'events_api',
            ...(kind === 'events_api'
              ? { retry_attempt: retry?.num ?? 0, retry_reason: retry?.reason ?? '' }
              : {}),
          }),
        );
      });
    },
    count: () => turns.length,
    drop(how) {
      for (const socket of [...turns]) {
        if (how === 'cut') {
          retire(socket);
          socket.terminate();
        } else ask(socket, how);
      }
    },
    async close() {
      tickets.clear();
      pending.clear();
      const open = [...server.clients].filter((socket) => socket.readyState !== socket.CLOSED);
      const goodbyes = open.map(
        (socket) =>
          new Promise<void>((resolve) => {
            const patience = setTimeout(() => socket.terminate(), GOODBYE_MS);
            socket.once('close', () => {
              clearTimeout(patience);
              resolve();
            });
            socket.close(1001);
          }),
      );
      await Promise.all(goodbyes);
      server.close();
    },
  };
}
