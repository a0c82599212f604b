// Starts a compiled program in the foreground and passes signals on to it.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './bootstrap.mjs';

/**
 * Runs `node dist/<file> …args` and waits for its end.
 *
 * The terminal sends Ctrl-C to the child as well, so only what was sent to us alone is passed on; SIGINT is
 * passed on when there is no terminal.
 *
 * @returns {Promise<number>} its exit code; 128 + n when signal n ended it
 */
export function runCompiled(file, args, toolPath) {
  const child = spawn(process.execPath, ['--enable-source-maps', join(ROOT, 'dist', file), ...args], {
    stdio: 'inherit',
    env: { ...process.env, PATH: toolPath, M10_TOOL_PATH: toolPath },
  });
  const pass = (signal) => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  // Listening also keeps us alive until the child has cleaned up.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, pass);
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('exit', (code, signal) => done(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}
