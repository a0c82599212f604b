import type { JsonObject } from './json.js';

/** A user of the workspace, human or not. */
export interface Person {
  id: string;
  name: string;
  realName: string;
  teamId: string;
  deleted: boolean;
  isBot: boolean;
  isRestricted: boolean;
  isUltraRestricted: boolean;
  isStranger: boolean;
  botId?: string;
  appId?: string;
}

export interface Channel {
  id: string;
  name: string;
  isPrivate: boolean;
  isExtShared: boolean;
  isArchived: boolean;
  members: Set<string>;
}

export interface Group {
  id: string;
  handle: string;
  name: string;
  users: string[];
  disabled: boolean;
}

export interface Reaction {
  name: string;
  users: string[];
}

/** A message that everybody in the channel sees. */
export interface Message {
  channel: string;
  ts: string;
  user: string;
  botId?: string;
  appId?: string;
  text: string;
  blocks: JsonObject[];
  attachments: JsonObject[];
  threadTs?: string;
  broadcast?: boolean;
  metadata?: JsonObject;
  edited?: { user: string; ts: string };
  reactions: Reaction[];
  files: string[];
  /** It was deleted and had replies: what Slack leaves in its place. */
  tombstone?: true;
}

/** A message that one person sees. */
export interface Ephemeral {
  channel: string;
  ts: string;
  to: string;
  text: string;
  blocks: JsonObject[];
  via: 'command' | 'response_url' | 'postEphemeral';
  /** The trigger of the command or action that it answers. */
  triggerId?: string;
  threadTs?: string;
}

export interface StoredFile {
  id: string;
  name: string;
  title: string;
  /** Bytes as announced; an upload of another length is refused. */
  length: number;
  content: Buffer;
  snippetType?: string;
  altText?: string;
  /** `deleted`: its messages keep a tombstone of it. */
  state: 'announced' | 'uploaded' | 'complete' | 'deleted';
  createdAt: number;
  shares: { channel: string; ts: string; threadTs?: string }[];
}

/** A modal that a person has open. */
export interface OpenView {
  id: string;
  user: string;
  view: JsonObject;
  hash: string;
  rootId: string;
  previousId: string | null;
  externalId: string;
}

export interface Trigger {
  user: string;
  at: number;
  exchanged: boolean;
}

/** Where later answers to one command or action go. */
export interface ResponseTarget {
  path: string;
  user: string;
  channel: string;
  at: number;
  uses: number;
  triggerId: string;
  /** The message with the button, when there was one. */
  source?: { kind: 'message' | 'ephemeral'; ts: string; threadTs?: string };
}
