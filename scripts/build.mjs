// Compiles src, workspace and bench to dist.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Compiles what changed since the last time.
 *
 * @returns {{ ok: boolean, output: string }} the compiler's messages
 */
export function compile(root = ROOT) {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const done = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], {
    cwd: root,
    encoding: 'utf8',
  });
  // The bin entry of package.json is started by name, so its file must be executable.
  const cli = join(root, 'dist', 'src', 'cli.js');
  if (existsSync(cli)) chmodSync(cli, 0o755);
  return { ok: done.status === 0, output: `${done.stdout ?? ''}${done.stderr ?? ''}`.trimEnd() };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { ok, output } = compile();
  if (output) console.log(output);
  process.exitCode = ok ? 0 : 1;
}
