import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { execa } from 'execa';

/** A server that runs beside the bot. */
export interface ServerSpec {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly logPath: string;
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  /** The bot may end before it. */
  readonly background: boolean;
}

/**
 * Starts a server in its own process group with its output straight in a file, so that neither a Ctrl-C in
 * the bot's terminal nor the bot's death reaches it.
 * @throws Error when the program cannot be started
 */
export async function startServer(
  spec: ServerSpec,
): Promise<{ readonly pid: number; readonly ended: Promise<{ readonly exitCode: number | undefined }> }> {
  // A stream that is open has a descriptor, which the child gets as its own: no pipe ends with the bot.
  const log = createWriteStream(spec.logPath, { flags: 'a', mode: 0o600 });
  await once(log, 'open');
  try {
    const child = execa(spec.file, spec.args, {
      cwd: spec.cwd,
      env: spec.env,
      extendEnv: false,
      stdin: 'ignore',
      stdout: log,
      stderr: log,
      buffer: false,
      detached: true,
      cleanup: false,
      reject: false,
      ...(spec.user === undefined ? {} : { uid: spec.user.uid, gid: spec.user.gid }),
    });
    const { pid } = child;
    if (pid === undefined) {
      const { message } = await child;
      throw new Error(`${spec.file} could not be started: ${message ?? 'no reason given'}`);
    }
    if (spec.background) child.unref();
    return { pid, ended: child.then(({ exitCode }) => ({ exitCode })) };
  } finally {
    log.destroy();
  }
}
