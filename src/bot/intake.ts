import type { App } from '@slack/bolt';
import type { Inbox } from '../store/inbox.js';
import { type Arrival, readArrival } from './inbound.js';
import { ForeignDelivery, MalformedDelivery } from './origin.js';
import type { Queue } from './queues.js';

/** What a listener needs to know about the delivery that it acknowledges. */
export interface Received {
  readonly arrival: Arrival;
  /** The journal's end at the moment of receipt. */
  readonly head: number;
}

export interface Intake {
  /** What was stored of this body; undefined for a body that the bot does nothing about. */
  of(body: object): Received | undefined;
}

/**
 * Puts every delivery into the inbox before Bolt sees it. Bolt acknowledges before its listeners run, so
 * whatever is not stored by then would be lost with the process; a failed insert is thrown, which Slack
 * hears as a 500 (HTTP) or as silence (socket), and it delivers again.
 *
 * A redelivery is not dropped: when the first one was not finished, it is what gets it finished.
 */
export function wrapIntake(
  app: Pick<App, 'processEvent'>,
  deps: {
    readonly inbox: Pick<Inbox, 'receive'>;
    readonly incidentChannel: string;
    /** Why a delivery is another installation's; null when it is ours. */
    readonly foreign: (body: unknown) => string | null;
    /** Called with the id of a stored delivery once it is acknowledged. */
    readonly kick: (id: number, queue: Queue) => void;
  },
): Intake {
  const received = new WeakMap<object, Received>();
  const inner = app.processEvent.bind(app);

  app.processEvent = async (event) => {
    const ack = onlyOnce(event.ack);
    const body: unknown = event.body;
    if (!isObject(body)) throw new MalformedDelivery('a delivery is no JSON object');
    const foreign = deps.foreign(body);
    if (foreign !== null) throw new ForeignDelivery(`a delivery is not for this installation: ${foreign}`);
    const arrival = readArrival(event.body, deps.incidentChannel);
    if (arrival === null) return inner({ ...event, ack });
    const { key, inbound, lane, look, queue } = arrival;
    const receipt = await deps.inbox.receive({
      key,
      // What waits among the orders is told apart by what it is.
      kind: queue === 'order' ? inbound.kind : queue,
      payload: inbound,
      lane,
      done: look !== null,
    });
    received.set(event.body, { arrival, head: receipt.head });
    try {
      await inner({ ...event, ack });
    } finally {
      // It is stored: that the acknowledgement failed is no reason to leave it undone.
      if (look === null) deps.kick(receipt.id, queue);
    }
  };
  return { of: (body) => received.get(body) };
}

/** Neither null nor a list, which JSON has as well. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A second acknowledgement throws over HTTP; here it does nothing. */
function onlyOnce<A extends readonly unknown[]>(
  ack: (...args: A) => Promise<void>,
): (...args: A) => Promise<void> {
  let done = false;
  return async (...args) => {
    if (done) return;
    done = true;
    await ack(...args);
  };
}
