import { nearest } from '../nearest.js';
import { parseDuration } from '../runbook/definition.js';
import { isJobName, type JobName, jobNames } from '../runbook/jobs/names.js';
import { error, type ParseError, plain, quote, readable, shortened, tooLong, wrong } from './parse-words.js';
import { SLASH, type UsageName, usages } from './usages.js';

/** Words about the M10 objects and jobs of a target. */
export type M10Command =
  | { readonly name: 'jobs'; readonly verb: 'show' }
  | { readonly name: 'jobs'; readonly verb: 'run'; readonly job: JobName; readonly dryRun: boolean }
  | {
      readonly name: 'jobs';
      readonly verb: 'pause' | 'resume';
      readonly job: JobName | 'all';
      readonly reason: string;
    }
  | { readonly name: 'jobs'; readonly verb: 'log'; readonly job: JobName }
  | { readonly name: 'locks'; readonly verb: 'show' | 'cleanup' }
  | { readonly name: 'locks'; readonly verb: 'release'; readonly lock: string }
  | { readonly name: 'outbox'; readonly verb: 'show' }
  | { readonly name: 'outbox'; readonly verb: 'retry'; readonly id: number }
  | { readonly name: 'replays'; readonly verb: 'show' }
  | { readonly name: 'replays'; readonly verb: 'cleanup'; readonly olderThanMs: number }
  | { readonly name: 'replay'; readonly message: string };
export type M10Name = M10Command['name'];

type Read = { readonly kind: 'command'; readonly command: M10Command } | ParseError;

/** The least age that a clean-up of the replay log takes, ms: younger entries still keep a message from going twice. */
export const LEAST_AGE = 24 * 60 * 60_000;
/** Longer ages are beyond any table, and beyond what a date can hold, ms. */
const MOST_AGE = 100 * 365 * LEAST_AGE;
const MOST_LOCK = 200;

export function parseM10(name: M10Name, rest: readonly string[]): Read {
  const words = rest.map((word) => quoteless(word));
  switch (name) {
    case 'jobs':
      return jobsOf(words);
    case 'locks':
      return locksOf(words);
    case 'outbox':
      return outboxOf(words);
    case 'replays':
      return replaysOf(words);
    case 'replay': {
      const [message = '', ...more] = words.map(plain);
      if (!/^\d{1,20}-\d{1,20}$/.test(message) || more.length > 0) {
        return wrong(name, 'A replay takes the id of one dead letter, such as 1718000000000-0.');
      }
      return done({ name, message });
    }
  }
}

function jobsOf([verb, which, ...more]: readonly string[]): Read {
  const name = 'jobs';
  switch (verb === undefined ? undefined : plain(verb).toLowerCase()) {
    case undefined:
      return done({ name, verb: 'show' });
    case 'run': {
      const job = jobOf('jobs run', which);
      if (typeof job !== 'string') return job;
      const dryRun = more.some((word) => flag(word) === '--dry-run');
      if (more.length > (dryRun ? 1 : 0)) return wrong('jobs run', 'A run by hand takes --dry-run at most.');
      return done({ name, verb: 'run', job, dryRun });
    }
    case 'pause':
      return switched('pause', which, more);
    case 'resume':
      return switched('resume', which, more);
    case 'log': {
      const job = jobOf('jobs log', which);
      if (typeof job !== 'string') return job;
      return more.length > 0 ? wrong('jobs log', 'The log is of one job.') : done({ name, verb: 'log', job });
    }
    default:
      return unknownVerb(name, verb ?? '', ['jobs run', 'jobs pause', 'jobs resume', 'jobs log']);
  }
}

function switched(verb: 'pause' | 'resume', which: string | undefined, more: readonly string[]): Read {
  const usage: UsageName = `jobs ${verb}`;
  const job = plain(which ?? '').toLowerCase() === 'all' ? 'all' : jobOf(usage, which, ['all']);
  if (typeof job !== 'string') return job;
  const reason = readable(more.join(' '));
  // Switching off is a way of stopping, which is never refused over its wording.
  if (verb === 'pause') return done({ name: 'jobs', verb, job, reason: shortened(reason) });
  return tooLong(usage, reason) ?? done({ name: 'jobs', verb, job, reason });
}

function locksOf([verb, ...rest]: readonly string[]): Read {
  const name = 'locks';
  // Nothing keeps a worker from a name of several words.
  const lock = rest.join(' ');
  switch (verb === undefined ? undefined : plain(verb).toLowerCase()) {
    case undefined:
      return done({ name, verb: 'show' });
    case 'cleanup':
      return lock === ''
        ? done({ name, verb: 'cleanup' })
        : wrong(
            'locks cleanup',
            'The clean-up takes every lock that has expired, and nothing more is said to it.',
          );
    case 'release':
      if (lock === '' || lock.length > MOST_LOCK) {
        return wrong('locks release', `A release names one lock; \`${SLASH} ${name}\` lists the names.`);
      }
      return done({ name, verb: 'release', lock });
    default:
      return unknownVerb(name, verb ?? '', ['locks cleanup', 'locks release']);
  }
}

function outboxOf([verb, number = '', ...more]: readonly string[]): Read {
  const name = 'outbox';
  switch (verb === undefined ? undefined : plain(verb).toLowerCase()) {
    case undefined:
      return done({ name, verb: 'show' });
    case 'retry': {
      const id = Number(/^#?(\d{1,15})$/.exec(plain(number))?.[1] ?? 0);
      if (id < 1 || more.length > 0) {
        return wrong(
          'outbox retry',
          `An event is named by its number; \`${SLASH} ${name}\` lists those that failed.`,
        );
      }
      return done({ name, verb: 'retry', id });
    }
    default:
      return unknownVerb(name, verb ?? '', ['outbox retry']);
  }
}

function replaysOf([verb, ...more]: readonly string[]): Read {
  const name = 'replays';
  const cleanup = 'replays cleanup';
  switch (verb === undefined ? undefined : plain(verb).toLowerCase()) {
    case undefined:
      return done({ name, verb: 'show' });
    case 'cleanup': {
      const [option = '', inline] = flag(more[0] ?? '').split('=');
      const [age = '', ...others] = inline === undefined ? more.slice(1) : [inline, ...more.slice(1)];
      if (option !== '--older-than' || age === '' || others.length > 0) {
        return wrong(cleanup, 'A clean-up says how old an entry must be to go.');
      }
      const olderThanMs = parseDuration(plain(age).toLowerCase());
      if (olderThanMs === null || olderThanMs > MOST_AGE) {
        return wrong(cleanup, `"${quote(age)}" is no age; one is written like 30d or 36h.`);
      }
      if (olderThanMs < LEAST_AGE) {
        return wrong(
          cleanup,
          'At least 1d: a younger entry is what keeps its message from being replayed twice.',
        );
      }
      return done({ name, verb: 'cleanup', olderThanMs });
    }
    default:
      return unknownVerb(name, verb ?? '', [cleanup]);
  }
}

function jobOf(
  usage: UsageName,
  typed: string | undefined,
  more: readonly string[] = [],
): JobName | ParseError {
  if (typed === undefined) return wrong(usage, `Which job? ${listed(more)}.`);
  const word = plain(typed).toLowerCase();
  if (isJobName(word)) return word;
  const near = nearest(word, [...jobNames, ...more]);
  const hint = near === undefined ? `There are ${listed(more)}.` : `Did you mean \`${near}\`?`;
  return error(
    'bad_arguments',
    `${SLASH} ${usage}`,
    `There is no job "${quote(typed)}".`,
    `${hint} Say \`${usages[usage].usage}\`.`,
  );
}

const listed = (more: readonly string[]) => [...jobNames, ...more].map((name) => `\`${name}\``).join(', ');

function unknownVerb(name: M10Name, typed: string, known: readonly UsageName[]): ParseError {
  const verbs = known.map((usage) => usage.slice(name.length + 1));
  const near = nearest(typed.toLowerCase(), verbs);
  const usage = known.find((each) => each === `${name} ${near}`);
  const shown = quote(typed);
  return error(
    'bad_arguments',
    `${SLASH} ${name}`,
    shown === '' ? `\`${SLASH} ${name}\` does not take that.` : `\`${SLASH} ${name}\` has no "${shown}".`,
    usage === undefined
      ? `Say \`${usages[name].usage}\`, or ${known.map((each) => `\`${usages[each].usage}\``).join(', ')}.`
      : `Did you mean \`${usages[usage].usage}\`?`,
  );
}

function done(command: M10Command): Read {
  return { kind: 'command', command };
}

/** Slack's clients write two hyphens as a dash, and pages write dashes of many kinds. */
function flag(word: string): string {
  return plain(word)
    .toLowerCase()
    .replace(/^-+(?=[a-z])/, '--');
}

function quoteless(word: string): string {
  return readable(word).replaceAll('`', '');
}
