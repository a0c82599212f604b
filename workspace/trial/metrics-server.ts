import { freePort } from '../../src/store/freePort.js';
import { startProgram } from '../services/program.js';

/**
 * Starts the sample backend's metrics endpoint.
 * @returns its URL and a function that ends it
 */
export async function startMetricsServer(options: {
  readonly backend: string;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly python: string;
  readonly logPath: string;
  readonly watch: (pid: number) => void;
}): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freePort();
  const program = await startProgram({
    file: options.python,
    args: ['-m', 'app.metrics_server', '--port', String(port)],
    cwd: options.backend,
    env: { PYTHONPATH: '.', DATABASE_URL: options.databaseUrl, REDIS_URL: options.redisUrl },
    logPath: options.logPath,
    background: true,
  });
  options.watch(program.pid);
  return {
    url: `http://127.0.0.1:${port}/metrics`,
    async stop() {
      try {
        process.kill(program.pid, 'SIGTERM');
      } catch {
        // It has ended already.
      }
      await program.ended;
    },
  };
}
