import { spawn } from 'node:child_process';

/**
 * Reads process ids from its standard input, one a line. When the input ends, however its owner died, it stops
 * these processes and every PostgreSQL below the folder, then removes the folder. "done" as the last line
 * means that the owner has cleaned up itself.
 *
 * A shell script, so that it costs a megabyte instead of a second Node, and so that it runs alike from the
 * sources and from the compiled tree.
 */
const script = `
folder=$1
pids=
while read -r line; do
  [ "$line" = done ] && exit 0
  pids="$pids $line"
done
pids="$pids $(find "$folder" -name postmaster.pid -exec head -n 1 {} \\; 2>/dev/null | tr '\\n' ' ')"
signal() { for pid in $pids; do kill "-$1" "$pid" 2>/dev/null; done; }
alive() { for pid in $pids; do kill -0 "$pid" 2>/dev/null && return 0; done; return 1; }
signal INT
tries=0
while alive && [ "$tries" -lt 50 ]; do tries=$((tries + 1)); sleep 0.1; done
signal KILL
tries=0
until rm -rf "$folder" 2>/dev/null || [ "$tries" -ge 50 ]; do tries=$((tries + 1)); sleep 0.1; done
`;

export interface Reaper {
  /** Names one more process that must not outlive us. */
  watch(pid: number): void;
  /** Lets the reaper go without doing anything: everything is stopped and removed already. */
  dismiss(): Promise<void>;
}

/**
 * Starts a process that cleans up when this one ends without having done so itself: Ctrl-C, an uncaught error
 * and SIGKILL alike. It notices through a pipe that the kernel closes with us, so it needs no signal handler
 * here that could fight with others', and no process id that might be used again.
 */
export async function startReaper(folder: string): Promise<Reaper> {
  // Its own session: a Ctrl-C at the terminal reaches every process of the terminal's foreground group.
  const child = spawn('/bin/sh', ['-c', script, 'm10-reaper', folder], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  await new Promise<void>((done, fail) => {
    child.once('spawn', done);
    child.once('error', fail);
  });
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  // A reaper that somebody killed must not take us down with EPIPE.
  child.stdin.on('error', () => undefined);
  child.unref();
  if ('unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref();
  return {
    watch(pid) {
      child.stdin.write(`${pid}\n`);
    },
    async dismiss() {
      child.ref();
      child.stdin.end('done\n');
      await ended;
    },
  };
}
