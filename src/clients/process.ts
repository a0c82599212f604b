import { statSync } from 'node:fs';
import { execa } from 'execa';
import { idsBelow } from './process/below.js';
import { groupGone, KILL_WAIT_MS, watchForEnd } from './process/ending.js';
import { readStat, signalGroup, thisMachine } from './process/identity.js';
import { findProgram } from './process/lookup.js';
import { readCut, readTail } from './process/output.js';
import {
  type ChildPaths,
  childPaths,
  type ExitRecord,
  openInput,
  openOutput,
  writeChild,
  writeExit,
} from './process/records.js';
import { type ProcessSighting, sight } from './process/sight.js';

export interface ProcessSpec {
  /** Names the output folder, for instance `run-7/production.apply/1`. Never used twice. */
  readonly id: string;
  /** Program and arguments; there is no shell. A secret has no place here: give it in `env`. */
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  /** The complete environment: nothing is inherited, PATH included. */
  readonly env: Readonly<Record<string, string>>;
  /** What the program reads on its standard input, from a file of its folder; nothing when not given. */
  readonly input?: string | undefined;
  /** Milliseconds until the group gets TERM. */
  readonly timeoutMs: number;
  /** Milliseconds between TERM and KILL; 5,000 when not given. */
  readonly graceMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How much of each output file comes back in the result; 256 KiB when not given. */
  readonly maxOutputBytes?: number | undefined;
}

/** What an ended child left behind. Output is as the program wrote it: redact before showing it. */
export interface ProcessOutput {
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutPath: string;
  readonly stderrPath: string;
  readonly durationMs: number;
}

/** The end of a child that was told to end: it may still have finished by itself, which the code tells. */
export interface EndedEarly extends ProcessOutput {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

export type NotStartedCode =
  | 'not_found'
  | 'not_executable'
  | 'no_directory'
  | 'id_used'
  | 'stopped_before'
  | 'other';

/** The first cause of an end wins: a child that is stopped after its timeout has timed out. */
export type ProcessResult =
  | ({ readonly kind: 'exited'; readonly exitCode: number } & ProcessOutput)
  | ({ readonly kind: 'timed_out'; readonly timeoutMs: number } & EndedEarly)
  | ({ readonly kind: 'stopped' } & EndedEarly)
  | ({ readonly kind: 'killed_by_signal'; readonly signal: string } & ProcessOutput)
  | { readonly kind: 'not_started'; readonly code: NotStartedCode; readonly reason: string };

export type StopResult =
  | { readonly kind: 'stopped'; readonly signal: 'SIGTERM' | 'SIGKILL' }
  | { readonly kind: 'not_running'; readonly sighting: ProcessSighting }
  | { readonly kind: 'still_running'; readonly pid: number };

export interface Processes {
  /**
   * Runs a program to its end. A bad end is a value.
   * @throws for an id that is no relative path, and for I/O errors on the output folder
   */
  run(spec: ProcessSpec): Promise<ProcessResult>;
  /** Looks at what is on disk and in /proc, for after a crash. Pid, start time and boot must all match. */
  look(id: string): ProcessSighting;
  /** Ends the group of a child that `look` finds running: TERM, then KILL after `graceMs`. */
  stop(id: string, graceMs?: number): Promise<StopResult>;
  /** Ids of the children that were started at an id or below it, ended ones too. */
  below(id: string): string[];
  /** The last bytes of both outputs so far. */
  tail(id: string, bytes: number): Promise<{ readonly stdout: string; readonly stderr: string }>;
  /** Where the files of a child are. */
  paths(id: string): ChildPaths;
  /** Lets this process exit while children run: they go on, and `look` finds them later. */
  release(): void;
}

/** This process may do nothing more: a child that runs goes on, and whoever takes over finds it. */
export class LeftAlone extends Error {
  override readonly name = 'LeftAlone';
  constructor(reason: unknown) {
    super('left alone: somebody else takes over', { cause: reason });
  }
}

export interface ProcessesOptions {
  /** Where the folders of the children are made. */
  readonly directory: string;
  /** Applied to the arguments that are written to child.json. */
  readonly redact?: (text: string) => string;
  /**
   * Whether an aborted signal, by its reason, means that this process may do nothing more and somebody else takes
   * over: then what runs is left alone, and nothing else is started. By default every abort ends the child.
   */
  readonly leaves?: (reason: unknown) => boolean;
}

const DEFAULT_GRACE_MS = 5_000;
const DEFAULT_OUTPUT_BYTES = 256 * 1_024;

/**
 * Starts programs so that the death of this process never harms them: each in its own process group, its
 * output in files instead of pipes, its identity on disk.
 */
export function createProcesses(options: ProcessesOptions): Processes {
  const releases = new Set<() => void>();
  const leaves = options.leaves ?? (() => false);

  async function run(spec: ProcessSpec): Promise<ProcessResult> {
    const paths = childPaths(options.directory, spec.id);
    if (spec.signal?.aborted === true) {
      if (leaves(spec.signal.reason)) throw new LeftAlone(spec.signal.reason);
      return notStarted('stopped_before', 'Stopped before the program was started.');
    }
    if (!isDirectory(spec.cwd)) return notStarted('no_directory', `no such directory: ${spec.cwd}`);
    const [name, ...args] = spec.argv;
    const program = await findProgram(name, spec.env.PATH, spec.cwd);
    if (program.kind !== 'found') return notStarted(program.kind, program.reason);
    const opened = await openOutput(paths);
    if (opened === null) return notStarted('id_used', `the id was used before: ${spec.id}`);
    const files = opened;

    const input = spec.input === undefined ? null : await openInput(paths, spec.input);
    const startedAt = new Date();
    const child = execa(program.path, args, {
      cwd: spec.cwd,
      env: spec.env,
      extendEnv: false,
      // The name as given, since some programs look at it; the path was looked up above.
      argv0: name,
      stdin: input ?? 'ignore',
      stdout: files.stdout,
      stderr: files.stderr,
      buffer: false,
      detached: true,
      cleanup: false,
      reject: false,
    });
    // The child has its own descriptor by now.
    input?.destroy();
    const { pid } = child;
    if (pid !== undefined) {
      try {
        // Written in the same turn as the spawn: the window in which a crash leaves no trace is the smallest.
        writeChild(paths, {
          pid,
          startTicks: readStat(pid)?.startTicks ?? null,
          argv: spec.argv.map((part) => options.redact?.(part) ?? part),
          startedAt: startedAt.toISOString(),
          ...thisMachine(),
        });
      } catch (error) {
        // Nobody could find it again, so it must not live: a full disk would take its output as well.
        signalGroup(pid, 'SIGKILL');
        await child;
        files.close();
        const why = error instanceof Error ? error.message : String(error);
        const durationMs = Date.now() - startedAt.getTime();
        // It ran for a moment, and a moment may be enough for a change.
        return {
          kind: 'killed_by_signal',
          signal: 'SIGKILL',
          stdout: '',
          stderr: `Killed by the bot right after its start, since its record could not be written: ${why}`,
          stdoutPath: paths.stdout,
          stderrPath: paths.stderr,
          durationMs,
        };
      }
    }
    const ender =
      pid === undefined
        ? null
        : watchForEnd(pid, { ...spec, leaves, graceMs: spec.graceMs ?? DEFAULT_GRACE_MS });
    const release = () => {
      child.unref();
      ender?.release();
    };
    releases.add(release);
    /** Sees the end and records it, for whoever took over as well. */
    async function toTheEnd(): Promise<ProcessResult> {
      const ended = await child;
      const cause = ender === null ? null : await ender.finished();
      releases.delete(release);
      files.close();

      const durationMs = Date.now() - startedAt.getTime();
      const exitCode = ended.exitCode ?? null;
      const signal = ended.signal ?? null;
      const record = (kind: ExitRecord['kind']): void => {
        try {
          writeExit(paths, { kind, exitCode, signal, endedAt: new Date().toISOString(), durationMs });
        } catch {
          // The end was seen and is returned; whoever looks later finds an end that nobody saw.
        }
      };
      if (pid === undefined) {
        record('not_started');
        return notStarted(
          'other',
          ended.failed ? (ended.shortMessage ?? 'the spawn failed') : 'the spawn failed',
        );
      }
      const kind = cause ?? (signal === null ? 'exited' : 'killed_by_signal');
      record(kind);
      const maxBytes = spec.maxOutputBytes ?? DEFAULT_OUTPUT_BYTES;
      const output = {
        stdout: await readCut(paths.stdout, maxBytes),
        stderr: await readCut(paths.stderr, maxBytes),
        stdoutPath: paths.stdout,
        stderrPath: paths.stderr,
        durationMs,
      };
      if (cause === 'timed_out') {
        return { kind: 'timed_out', timeoutMs: spec.timeoutMs, exitCode, signal, ...output };
      }
      if (cause === 'stopped') return { kind: 'stopped', exitCode, signal, ...output };
      if (exitCode !== null) return { kind: 'exited', exitCode, ...output };
      return { kind: 'killed_by_signal', signal: signal ?? 'unknown', ...output };
    }
    const end = toTheEnd();
    if (ender === null) return end;
    return Promise.race([end, leftAlone(ender.left)]);
  }

  function look(id: string): ProcessSighting {
    return sight(childPaths(options.directory, id));
  }

  async function stop(id: string, graceMs = DEFAULT_GRACE_MS): Promise<StopResult> {
    const sighting = look(id);
    if (sighting.kind !== 'running') return { kind: 'not_running', sighting };
    signalGroup(sighting.pid, 'SIGTERM');
    if (await groupGone(sighting.pid, graceMs)) return { kind: 'stopped', signal: 'SIGTERM' };
    signalGroup(sighting.pid, 'SIGKILL');
    if (await groupGone(sighting.pid, KILL_WAIT_MS)) return { kind: 'stopped', signal: 'SIGKILL' };
    return { kind: 'still_running', pid: sighting.pid };
  }

  return {
    run,
    look,
    stop,
    below: (id) => idsBelow(options.directory, id),
    async tail(id, bytes) {
      const paths = childPaths(options.directory, id);
      return { stdout: await readTail(paths.stdout, bytes), stderr: await readTail(paths.stderr, bytes) };
    },
    paths: (id) => childPaths(options.directory, id),
    release() {
      for (const release of releases) release();
    },
  };
}

/** Rejects once a child is left to somebody else: whoever waited for it must do nothing more. */
function leftAlone(left: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const tell = () => reject(new LeftAlone(left.reason));
    if (left.aborted) tell();
    else left.addEventListener('abort', tell, { once: true });
  });
}

function notStarted(code: NotStartedCode, reason: string): ProcessResult {
  return { kind: 'not_started', code, reason };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
