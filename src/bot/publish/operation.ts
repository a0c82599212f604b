import type { Rendered } from '../render/message.js';
import type { AttachedFile } from '../render/plan-files.js';
import type { Piece } from '../render/step.js';

/** A message that should stand in Slack. */
export interface MessageOperation {
  /** Under which it is remembered; the same key never makes two messages. */
  readonly key: string;
  readonly channel: string;
  /** Key of the message in whose thread it belongs. */
  readonly parent?: string;
  /** A reply that the channel sees too. */
  readonly broadcast?: boolean;
  readonly message: Rendered;
  /** `once`: posted and left. `current`: updated whenever it should show something else. */
  readonly mode: 'once' | 'current';
  /** What is posted instead when Slack refuses it for good; `code` is Slack's reason. */
  readonly otherwise?: (code: string) => MessageOperation;
  readonly origin: Origin;
}

/** The event that an operation tells of. */
export interface Origin {
  readonly stream: string;
  readonly version: number;
  readonly position: number;
  /** The last position that it tells of, when several events share a message. */
  readonly through: number;
  /** ms since 1970 */
  readonly at: number;
}

/** A file that should stand in a thread. */
export interface FileOperation {
  readonly key: string;
  readonly channel: string;
  readonly parent: string;
  readonly filename: string;
  readonly title: string;
  /** null: it is not there any more. */
  readonly content: () => Promise<string | null>;
  /** Where Slack takes no files, it is posted as messages: people have to read it before they answer. */
  readonly needed: boolean;
  readonly origin: Origin;
}

/** What one event adds to a thread. Pieces that follow each other in one thread share a message. */
export interface ThreadWork {
  readonly key: string;
  readonly channel: string;
  readonly parent: string;
  readonly piece: Piece;
  /** A file follows it. */
  readonly announces: boolean;
  readonly origin: Origin;
}

/** A file of a plan as operation. */
export function fileOperation(
  base: { key: string; channel: string; parent: string; origin: Origin },
  file: AttachedFile,
): FileOperation {
  const { filename, title, content } = file;
  const key = `${base.key}:file:${filename}`;
  return { ...base, key, filename, title, content: async () => content, needed: true };
}
