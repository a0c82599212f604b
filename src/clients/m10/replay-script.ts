import type { Redis } from 'ioredis';
import { z } from 'zod';
import { type Field, messageOf } from './dead-letter-entry.js';
import { replayFields, replayMarker, streamNames } from './stream-names.js';

/**
 * How long the marker of a replay stands: longer than the log keeps its row (30 days) and the archive the dead
 * letter (90 days), so that a message is put back once as long as there is anything to put back.
 */
const markerSeconds = 100 * 86_400;
const processedSeconds = 86_400;

/**
 * One script is one change: the message and its marker come together or not at all, also in the append-only file
 * and on replicas. Everything is read before anything is written, so that a key of a wrong type stops it early; the
 * marker is written before the message, so that a user who may not write it adds nothing.
 *
 * The message is taken from the main stream where it still stands, else from its dead letter. The original is
 * acknowledged: a worker that reclaimed it later would evaluate it a second time.
 */
const script = `
local main, marker, processed = KEYS[1], KEYS[2], KEYS[3]
local group, original, letter, of, key = ARGV[1], ARGV[2], ARGV[3], ARGV[6], ARGV[8]
local added = redis.call('GET', marker)
if added then return {'added', added} end
if redis.call('SISMEMBER', processed, original) == 1 or redis.call('SISMEMBER', processed, letter) == 1 then
  return {'processed', ''}
end
local readers = redis.pcall('XPENDING', main, group)
if readers.err then
  if string.find(readers.err, 'NOGROUP', 1, true) then return {'no-readers', ''} end
  return readers
end
local message = {'XADD', main, '*', of, original, ARGV[7], key}
local found = redis.call('XRANGE', main, original, original)
if found[1] then
  local fields = found[1][2]
  for i = 1, #fields, 2 do
    if fields[i] ~= of and fields[i] ~= ARGV[7] then
      message[#message + 1] = fields[i]
      message[#message + 1] = fields[i + 1]
    end
  end
else
  for i = 9, #ARGV do message[#message + 1] = ARGV[i] end
end
redis.call('SET', marker, '', 'EX', ARGV[4])
local id = redis.pcall(unpack(message))
if type(id) == 'table' and id.err then
  redis.call('DEL', marker)
  return id
end
redis.call('SET', marker, id, 'EX', ARGV[4])
redis.pcall('SADD', processed, original)
redis.pcall('EXPIRE', processed, ARGV[5])
redis.pcall('XACK', main, group, original)
return {'new', id}
`;

export type Added =
  | { readonly kind: 'new' | 'added'; readonly newId: string }
  /** The set of replayed messages has it: another worker put it back within the last 24 hours. */
  | { readonly kind: 'processed' }
  /** The main stream or its group is not there: nobody would read the message. */
  | { readonly kind: 'no-readers' };

const Answer = z.tuple([z.enum(['new', 'added', 'processed', 'no-readers']), z.string()]);

/** Adds the message to the main stream unless it was added before. */
export async function addOnce(
  redis: Redis,
  message: {
    readonly original: string;
    readonly deadLetter: string;
    readonly key: string;
    readonly fields: readonly Field[];
  },
): Promise<Added> {
  const { original, deadLetter, key } = message;
  const answer = await redis.eval(
    script,
    3,
    streamNames.main,
    replayMarker(original),
    streamNames.replayProcessed,
    ...[streamNames.group, original, deadLetter, markerSeconds, processedSeconds],
    ...[replayFields.of, replayFields.key, key],
    ...messageOf(message.fields).flat(),
  );
  const [kind, newId] = Answer.parse(answer);
  return kind === 'new' || kind === 'added' ? { kind, newId } : { kind };
}

/** Ids of the messages that were put back, by the message each is a copy of. One round trip. */
export async function markersOf(
  redis: Redis,
  originals: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (originals.length === 0) return new Map();
  const values = await redis.mget(...originals.map(replayMarker));
  return new Map(
    originals.flatMap((original, at): [string, string][] => {
      const value = values[at] ?? null;
      return value === null ? [] : [[original, value]];
    }),
  );
}
