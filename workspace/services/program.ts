import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import type { StartProgram } from '../../src/store/embeddedCluster.js';

/**
 * Starts a server of the trial in its own process group, with its output straight in a file. Whoever started it
 * stays alive until it has ended, whatever `background` says: otherwise the wait for its end would itself end,
 * with Node's exit code 13, as soon as nothing else is left to do.
 */
export const startProgram: StartProgram = async (program) => {
  const log = await open(program.logPath, 'a', 0o600);
  try {
    const child = spawn(program.file, program.args, {
      cwd: program.cwd,
      env: { ...program.env },
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      ...(program.user && { uid: program.user.uid, gid: program.user.gid }),
    });
    const ended = new Promise<{ exitCode: number | undefined }>((done) => {
      child.once('exit', (exitCode) => done({ exitCode: exitCode ?? undefined }));
    });
    await new Promise<void>((done, fail) => {
      child.once('spawn', done);
      child.once('error', (cause) => fail(new Error(`${program.file} could not be started.`, { cause })));
    });
    if (child.pid === undefined) throw new Error(`${program.file} could not be started.`);
    return { pid: child.pid, ended };
  } finally {
    await log.close();
  }
};
