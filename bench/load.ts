// A load of signed commands from a process of its own: node load.js URL SECRET CONCURRENCY COUNT, a JSON line out.
import { Agent, request } from 'node:http';
import { sign } from '../workspace/slack/delivery/http.js';
import { CHANNELS, TEAM, USERS } from '../workspace/slack/people.js';

const [url = '', secret = '', concurrency = '1', count = '1'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: Number(concurrency) });
const latencies: number[] = [];
const failures = new Map<string, number>();
let left = Number(count);
let number = 0;

function once(): Promise<void> {
  number += 1;
  const body = new URLSearchParams({
    token: 'local-verification-token',
    team_id: TEAM.id,
    team_domain: TEAM.domain,
    channel_id: CHANNELS.incident,
    channel_name: 'incident-m10',
    user_id: USERS.alice,
    user_name: 'alice',
    command: '/m10',
    text: 'status',
    api_app_id: 'A0M10BOT01',
    response_url: 'http://127.0.0.1:9/none',
    trigger_id: `${process.pid}.${Date.now()}.${number}`,
  }).toString();
  const timestamp = Math.floor(Date.now() / 1000);
  const started = performance.now();
  return new Promise((resolve) => {
    const done = (failure: string | null) => {
      if (failure === null) latencies.push(performance.now() - started);
      else failures.set(failure, (failures.get(failure) ?? 0) + 1);
      resolve();
    };
    const sent = request(
      url,
      {
        agent,
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': Buffer.byteLength(body),
          'x-slack-request-timestamp': String(timestamp),
          'x-slack-signature': sign(secret, timestamp, body),
        },
      },
      (answer) => {
        let bytes = 0;
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
        answer.on('end', () => {
          done(answer.statusCode === 200 && bytes > 0 ? null : `HTTP ${answer.statusCode}, ${bytes} bytes`);
        });
      },
    );
    sent.on('error', (error) => done(error.message));
    sent.end(body);
  });
}

async function worker(): Promise<void> {
  while (left > 0) {
    left -= 1;
    await once();
  }
}

const started = performance.now();
await Promise.all(Array.from({ length: Number(concurrency) }, worker));
const seconds = (performance.now() - started) / 1000;
latencies.sort((a, b) => a - b);
const at = (share: number) =>
  latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
agent.destroy();
process.stdout.write(
  `${JSON.stringify({
    perSecond: latencies.length / seconds,
    p50: at(0.5),
    p99: at(0.99),
    failures: Object.fromEntries(failures),
  })}\n`,
);
