import { describe, expect, it } from 'vitest';
import { toldBefore } from '../../../src/checks/plan/baseline.js';
import { type Compared, compared } from '../../../src/checks/plan/compared.js';
import { printedStatements } from '../../../src/checks/plan/executed.js';

const told = (sql: string) => printedStatements(sql, { table: 'alembic_version' }, null);

async function compare(printed: string, executed: string, before?: string) {
  const [p, e, b] = await Promise.all([
    told(printed),
    told(executed),
    before === undefined ? null : told(before),
  ]);
  return summary(await compared(p, b, e));
}

const none = { strange: [], repeated: [], otherValues: [], missing: [], moved: false };

const summary = ({ strange, repeated, otherValues, missing, moved }: Compared) => ({
  strange: strange.map((s) => s.text),
  repeated: repeated.map((r) => `${r.statement.text}: ${r.executed} of ${r.approved}`),
  otherValues: otherValues.map((s) => s.text),
  missing: missing.map((s) => s.text),
  moved,
});

describe('what was executed, held against the printed SQL', () => {
  it.each([
    ['the same', 'delete from a; delete from b', 'DELETE FROM a; delete from b', {}],
    ['one more', 'delete from a', 'delete from a; drop table b', { strange: ['drop table b'] }],
    [
      'the same three times',
      'delete from a; delete from b',
      'delete from a; delete from a; delete from b; delete from a',
      { repeated: ['delete from a: 3 of 1'] },
    ],
    ['printed twice', 'delete from a; delete from a', 'delete from a; delete from a', {}],
    ['another order', 'delete from a; drop table b', 'drop table b; delete from a', { moved: true }],
    [
      'another value for one of two',
      'delete from a where id = 1; delete from a where id = 2',
      'delete from a where id = 9',
      { otherValues: ['delete from a where id = 9'], missing: ['delete from a where id = 2'] },
    ],
    [
      'one value more',
      'delete from a where id = 1',
      'delete from a where id = 1; delete from a where id = 2',
      { otherValues: ['delete from a where id = 2'] },
    ],
    ['left out', 'delete from a; delete from b', 'delete from b', { missing: ['delete from a'] }],
  ])('%s', async (_, printed, executed, expected) => {
    expect(await compare(printed, executed)).toEqual({ ...none, ...expected });
  });
});

describe('with what an earlier target executed', () => {
  it.each([
    ['as there', 'delete from a', 'delete from a; delete from b', 'delete from a; delete from b', {}],
    // Approved as often as the printed SQL or the earlier target has it, and not as both together.
    [
      'in both lists, executed twice',
      'delete from a',
      'delete from a; delete from a',
      'delete from a',
      { repeated: ['delete from a: 2 of 1'] },
    ],
    ['twice there', 'delete from a', 'delete from a; delete from a', 'delete from a; delete from a', {}],
    [
      'printed, left out there',
      'delete from a; delete from b',
      'delete from a; delete from b',
      'delete from a',
      {},
    ],
    [
      'the order of there, not the printed one',
      'delete from a; delete from b',
      'delete from b; delete from a',
      'delete from b; delete from a',
      {},
    ],
    [
      'the printed order, not the one of there',
      'delete from a; delete from b',
      'delete from a; delete from b',
      'delete from b; delete from a',
      {},
    ],
    [
      'an order of its own',
      'delete from a; delete from b; delete from c',
      'delete from b; delete from c; delete from a',
      'delete from c; delete from b; delete from a',
      { moved: true },
    ],
    [
      'left out here',
      'delete from a',
      'delete from a',
      'delete from a; delete from b',
      { missing: ['delete from b'] },
    ],
  ])('%s', async (_, printed, executed, before, expected) => {
    expect(await compare(printed, executed, before)).toEqual({ ...none, ...expected });
  });
});

it('lets others have their turn while it reads very many statements', async () => {
  const statements = Array.from({ length: 2_000 }, (_, id) => ({
    text: `update t set name = 'x${id}' where id = ${id}`,
    effect: 'changes' as const,
    outside: false,
  }));
  let turns = 0;
  const count = setInterval(() => {
    turns += 1;
  }, 1);
  await toldBefore({ statements, count: statements.length, sha256: '' });
  clearInterval(count);
  expect(turns).toBeGreaterThan(0);
});
