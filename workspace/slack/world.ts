import { randomBytes } from 'node:crypto';
import { type ChangeLog, createChangeLog } from './changes.js';
import type {
  Channel,
  Ephemeral,
  Group,
  Message,
  OpenView,
  Person,
  ResponseTarget,
  StoredFile,
  Trigger,
} from './model.js';
import { defaultChannels, defaultGroups, defaultPeople } from './people.js';
import type { Timers } from './timers.js';

/** Everything the stand-in remembers. */
export interface World {
  now(): number;
  /** A fresh message timestamp, later than every one before. */
  nextTs(): string;
  users: Map<string, Person>;
  channels: Map<string, Channel>;
  groups: Map<string, Group>;
  /** By channel, then by ts, oldest first. */
  messages: Map<string, Map<string, Message>>;
  ephemerals: Ephemeral[];
  files: Map<string, StoredFile>;
  /** By view id, in the order of opening. */
  views: Map<string, OpenView>;
  homes: Map<string, OpenView>;
  triggers: Map<string, Trigger>;
  responses: Map<string, ResponseTarget>;
  /** Whether the workspace is on a plan with user groups. */
  paidPlan: boolean;
  changes: ChangeLog;
}

/** An id in Slack's alphabet: `prefix` and ten capital letters or digits. */
export function newId(prefix: string): string {
  return prefix + randomBytes(8).toString('hex').toUpperCase().slice(0, 10);
}

/** @param now - the clock, in milliseconds since 1970 */
export function createWorld(timers: Timers, now: () => number): World {
  let last = 0;
  return {
    now,
    nextTs() {
      last = Math.max(now() * 1000, last + 1);
      return `${Math.floor(last / 1e6)}.${String(last % 1e6).padStart(6, '0')}`;
    },
    users: new Map(defaultPeople().map((p) => [p.id, p])),
    channels: new Map(defaultChannels().map((c) => [c.id, c])),
    groups: new Map(defaultGroups().map((g) => [g.id, g])),
    messages: new Map(),
    ephemerals: [],
    files: new Map(),
    views: new Map(),
    homes: new Map(),
    triggers: new Map(),
    responses: new Map(),
    paidPlan: true,
    changes: createChangeLog(timers),
  };
}
