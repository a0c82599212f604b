import { afterAll, beforeAll, expect, test } from 'vitest';
import { JobsFile, jobsConfig } from '../../src/config-jobs.js';
import { jobsChecks } from '../../src/doctor/jobs.js';
import { after, before, createWorld, sql, type World } from '../checks/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world?.drop());

async function findings(databaseUrl: string) {
  const target = world.target({ databaseUrl });
  const slack = {
    botToken: 'xoxb-1',
    apiUrl: 'https://slack.com/api/',
    delivery: { kind: 'socket' as const, appToken: 'xapp-1' },
    channel: 'C0INCIDENT',
    team: 'T1',
  };
  const jobs = jobsConfig(JobsFile.parse({ target: 'production' }));
  const [check] = jobsChecks({ jobs, targets: { production: target }, slack }, world.deps().processes);
  return check?.run();
}

test('at 022 all is there; before it, the jobs wait and that is fine', async () => {
  expect(await findings((await world.databaseAt(after)).url)).toMatchObject([
    { mark: 'fine', facts: expect.stringContaining('all that the 5 jobs need is there') },
  ]);
  expect(await findings((await world.databaseAt(before)).url)).toMatchObject([
    { mark: 'fine', facts: expect.stringContaining('come with the migration') },
  ]);
  expect(await findings('postgresql://a:b@127.0.0.1:9/x')).toMatchObject([{ mark: 'attention' }]);
});

test('a role without DELETE is a problem for each table', async () => {
  const { url } = await world.databaseAt(after);
  const role = `doctor_jobs_${process.pid}`;
  await sql(
    url,
    `create role ${role} login password 'x'; grant usage on schema m10_recovery to ${role};
     grant select, insert, update on all tables in schema m10_recovery to ${role}`,
  );
  const limited = new URL(url);
  limited.username = role;
  limited.password = 'x';
  try {
    const found = (await findings(limited.href)) ?? [];
    expect(found.length).toBeGreaterThan(0);
    expect(found.every(({ mark, facts }) => mark === 'problem' && facts.includes('DELETE'))).toBe(true);
    expect(found.map(({ facts }) => facts).join()).toContain('m10_recovery.distributed_locks');
  } finally {
    await sql(url, `drop owned by ${role}; drop role ${role}`);
  }
});

test('without jobs there is nothing to look at', () => {
  const { processes } = world.deps();
  const slack = {
    botToken: '',
    apiUrl: '',
    delivery: { kind: 'socket' as const, appToken: '' },
    channel: '',
    team: '',
  };
  expect(jobsChecks({ jobs: null, targets: {}, slack }, processes)).toEqual([]);
});
