// Holds a job's lock with its heartbeat until it is killed: node hold-lock.js URL TTL, a line out once it is held.
import { connect } from '../../src/clients/postgres.js';
import { createLeader } from '../../src/scheduler/leader.js';
import { quiet, TAKEOVER_LOCK } from './lock-name.js';

const [url = '', ttl = '1'] = process.argv.slice(2);
const open = (applicationName: string) =>
  connect({ url, applicationName, statementTimeoutMs: 0, lockTimeoutMs: 0, connectTimeoutMs: 5_000 });
const connection = await open('bench holder');
if (connection.kind !== 'connected') throw new Error(connection.message);
const leader = createLeader({ holder: `bench-${process.pid}`, connect: open, log: quiet });
const taken = await leader.take(connection.database, TAKEOVER_LOCK, Number(ttl));
if (taken.kind !== 'leads') throw new Error('somebody else has the lock');
process.stdout.write('held\n');
