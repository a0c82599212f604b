import { describe, expect, it } from 'vitest';
import { differences, sameStatement } from '../../../src/clients/sql/differences.js';
import { type BoundValues, executedForm, type ParamStyle } from '../../../src/clients/sql/executed.js';
import { parseScript } from '../../../src/clients/sql/parse-script.js';

async function compare(approved: string, executed: string) {
  const [a, b] = await Promise.all([parseScript(approved), parseScript(executed)]);
  const { notApproved, notExecuted, moved } = differences(a.statements, b.statements);
  return { notApproved: notApproved.map((s) => s.text), notExecuted: notExecuted.map((s) => s.text), moved };
}

describe('differences', () => {
  const none = { notApproved: [], notExecuted: [], moved: false };

  it.each([
    ['select 1; select 2; select 1', 'SELECT 1; select (2); select 1;', {}],
    ['select 1; select 1', 'select 1', { notExecuted: ['select 1'] }],
    ['select 1', 'select 1; select 1', { notApproved: ['select 1'] }],
    ['select 1; select 2; select 3', 'select 2; select 3; select 1', { moved: true }],
    [
      'select 1; select 2; select 3',
      'select 1; delete from t; select 3',
      { notApproved: ['delete from t'], notExecuted: ['select 2'] },
    ],
    ['select 1; select 2', 'select 2; select 1; select 1', { notApproved: ['select 1'], moved: true }],
  ])('%s and %s', async (approved, executed, expected) => {
    expect(await compare(approved, executed)).toEqual({ ...none, ...expected });
  });

  it('compares ten thousand statements', () => {
    const forms = (from: number) =>
      Array.from({ length: 10_000 }, (_, i) => ({ normalForm: String((i + from) % 7_000) }));
    expect(differences(forms(0), forms(0))).toEqual(none);
    expect(differences(forms(0), forms(1)).notApproved.length).toBeGreaterThan(0);
    expect(differences(forms(0), [...forms(0)].reverse())).toEqual({ ...none, moved: true });
  });
});

describe('executedForm', () => {
  async function same(
    approved: string,
    sql: string,
    values: BoundValues,
    style: ParamStyle,
  ): Promise<boolean> {
    const [a] = (await parseScript(approved)).statements;
    const [b] = await executedForm(sql, values, style);
    if (a === undefined || b === undefined) throw new Error('no statement');
    return sameStatement(a, b) && differences([a], [b]).notApproved.length === 0;
  }
  const offline = "INSERT INTO t (a, b, c, d) VALUES ('it''s %', -3, true, NULL)";
  const all = { a: "it's %", b: -3, c: true, d: null };

  it.each([
    ['pyformat', 'INSERT INTO t (a, b, c, d) VALUES (%(a)s, %(b)s, %(c)s, %(d)s)', all],
    [
      'pyformat',
      'INSERT INTO t (a, b, c, d) VALUES (%(a)s::VARCHAR, %(b)s::INTEGER, %(c)s, %(d)s::TEXT)',
      all,
    ],
    ['format', 'INSERT INTO t (a, b, c, d) VALUES (%s, %s, %s, %s)', Object.values(all)],
    ['numeric', 'INSERT INTO t (a, b, c, d) VALUES ($1::VARCHAR, $2::INTEGER, $3, $4)', Object.values(all)],
  ] as const)('takes bound values for literals (%s: %s)', async (style, sql, values) => {
    expect(await same(offline, sql, values, style)).toBe(true);
  });

  it.each([
    ['select 9007199254740993', 'select $1', [{ number: '9007199254740993' }], true],
    ['select 9007199254740993', 'select $1', [{ number: '9007199254740992' }], false],
    ['select -2147483648', 'select $1', [-2147483648], true],
    ['select 0', 'select $1', [0], true],
    ['select 1.10', 'select $1', [{ number: '1.10' }], true],
    ["select '3'", 'select $1', [3], false],
    ['select null', 'select $1', [''], false],
    ['select false', 'select $1', [0], false],
    ['select 1', 'select $1', [], false],
    ['select 1', 'select $1', [[1]], false],
    ["select cast('x' as text)", 'select cast($1::varchar as text)', ['x'], true],
    ["select cast('x' as text)", 'select cast($1::varchar as json)', ['x'], false],
  ])('%s and %s with %j: %s', async (approved, sql, values, expected) => {
    expect(await same(approved, sql, values, 'numeric')).toBe(expected);
  });

  it('reads percent signs as the driver does', async () => {
    expect(
      await same(
        "select a like 'x%' from t where b = 1",
        "select a like 'x%%' from t where b = %(b)s",
        { b: 1 },
        'pyformat',
      ),
    ).toBe(true);
    expect(await same("select 'x%'", "select 'x%%'", {}, 'pyformat')).toBe(true);
    expect(await same("select 'x%'", "select 'x%%'", null, 'pyformat')).toBe(false);
    expect(await same("select 'x%%'", "select 'x%%'", null, 'pyformat')).toBe(true);
    expect(await same("select 'q'", "select '%(q)s'", { q: 'q' }, 'pyformat')).toBe(false);
  });

  it('keeps several statements apart, and what it cannot read', async () => {
    expect(
      (await executedForm('select %s; delete from t; selec', [1], 'format')).map((s) => s.effect),
    ).toEqual(['reads', 'throws-rows-away', 'unparsed']);
  });

  it('shows the values that were bound, wherever they are', async () => {
    const shown = async (sql: string, values: BoundValues, style: ParamStyle) =>
      (await executedForm(sql, values, style)).map((s) => s.text);
    expect(
      await shown("insert into ü values ($1, '$2', $2::int, $3, $4)", ["it's", -3, null, [1]], 'numeric'),
    ).toEqual(["insert into ü values ('it''s', '$2', (-3)::int, NULL, $4)"]);
    expect(
      await shown('delete from t where a = %(a)s -- %(a)s', { a: { number: '1.10' } }, 'pyformat'),
    ).toEqual(['delete from t where a = 1.10']);
    expect(await shown('select 1; delete from t where a = %s', [true], 'format')).toEqual([
      'select 1',
      'delete from t where a = true',
    ]);
  });
});
