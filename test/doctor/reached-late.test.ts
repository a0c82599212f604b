import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { changedConfig, diagnose, type FileShape, openPlace, type Place } from './place.js';

/** What no start needs and a run meets late: the jobs' programs, channels of events, the metrics page. */

let place: Place;
beforeAll(async () => {
  place = await openPlace('doctor_late');
});
afterAll(() => place?.close());

const Jobs = z.looseObject({ 'outbox-processor': z.looseObject({}) });

async function diagnosed(change: (file: FileShape, jobs: z.infer<typeof Jobs>) => void) {
  const config = await changedConfig(place, (file) => {
    const jobs = Jobs.parse(file.jobs);
    file.jobs = jobs;
    change(file, jobs);
  });
  return diagnose({ ...place.trial.botEnv, M10_CONFIG: config });
}

test('programs of jobs that are missing are problems, each with its key', async () => {
  const plain = join(place.directory, 'plain');
  await writeFile(plain, 'not a program', { mode: 0o600 });
  const { problems } = await diagnosed((_, jobs) => {
    jobs.retire = [
      ['true', 'x'],
      ['no-such-systemctl', 'disable'],
    ];
    jobs['outbox-processor'].handlers = {
      'audit:': { argv: ['./no-such-handler.sh'] },
      'mail:': { argv: [plain] },
      'hook:': { url: 'https://hooks.example.org/x' },
      'here:': { url: 'http://127.0.0.1/x' },
    };
    jobs['matview-refresh'] = { command: { argv: ['no-such-refresh'] } };
  });
  const of = (key: string, why: string) =>
    expect.stringMatching(new RegExp(`^✗ programs of the jobs on production: ${key}: ${why}`));
  expect(problems).toEqual([
    of('jobs\\.retire\\.1', 'not found: no-such-systemctl .*→ install no-such-systemctl'),
    of('jobs\\.outbox-processor\\.handlers\\.audit:', 'not found: \\./no-such-handler\\.sh'),
    of('jobs\\.outbox-processor\\.handlers\\.mail:', 'not executable: '),
    of('jobs\\.matview-refresh\\.command', 'not found: no-such-refresh'),
    of(
      'jobs\\.outbox-processor\\.handlers\\.hook:',
      'hooks\\.example\\.org is not on the allow list.* dead letter',
    ),
  ]);
});

test('a channel that events may notify and that is not there is a problem', async () => {
  const { problems, lines } = await diagnosed((_, jobs) => {
    jobs['outbox-processor']['notify-channels'] = ['C0NOWHERE'];
  });
  expect(problems).toEqual([
    expect.stringMatching(
      /^✗ notify channel C0NOWHERE: does not exist.* → correct jobs\.outbox-processor\.notify-channels/,
    ),
  ]);
  expect(lines.filter((line) => /^. channel /.test(line))).toHaveLength(1);
});

test('a metrics page that is dead is a problem where a step reads it, and a warning where none does', async () => {
  const { problems, warnings } = await diagnosed((file) => {
    file.targets.production['metrics-url'] = 'http://127.0.0.1:9/metrics';
    file.targets.staging['metrics-url'] = 'http://127.0.0.1:9/metrics';
  });
  expect(problems).toEqual([
    expect.stringMatching(
      /^✗ metrics of production: http:\/\/127\.0\.0\.1:9\/metrics cannot be read: .* → start the backend, or correct targets\.production\.metrics-url/,
    ),
  ]);
  expect(warnings).toEqual([expect.stringMatching(/^! metrics of staging: .* cannot be read: /)]);
});
