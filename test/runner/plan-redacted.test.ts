import { expect, test } from 'vitest';
import { runbook } from '../runbook/spec.js';
import { digest, kindsWith, password, plannerOf, redact, targetsOf } from './sample.js';

test('nothing of a plan holds a secret: it is written to the journal as it is', async () => {
  const sql = `create role app login password '${password}'`;
  const finding = { rank: 'data-loss' as const, rule: 'r', message: `in ${sql}`, line: 1, statement: sql };
  const statement = { text: `update t set a = '${password}'`, effect: 'changes' as const, outside: false };
  const contexts: string[] = [];
  const kinds = kindsWith({
    describe: () => ({ words: `Does ${sql}.`, commands: [sql] }),
    async survey(_, context) {
      contexts.push(context.redact(sql));
      return {
        kind: 'surveyed',
        parts: {},
        sql: [
          {
            step: context.step.id,
            target: context.target.name,
            from: 'a',
            to: 'b',
            revisions: ['b'],
            sql,
            sha256: digest(sql),
            findings: [finding],
            unprinted: [{ target: 'staging', statements: [statement], findings: [finding] }],
          },
        ],
        headline: [sql],
        warnings: [sql],
      };
    },
  });
  const steps = runbook.phases.flatMap((block) => block.steps.map((step) => ({ block, step })));
  const planned = await plannerOf(targetsOf(), kinds).plan(runbook, 'digest', steps);
  if (planned.kind !== 'planned') throw new Error(planned.why);
  expect(planned.plan.sql.length).toBeGreaterThan(0);
  expect(JSON.stringify(planned)).not.toContain(password);
  expect(planned.plan.sql[0]).toMatchObject({
    sha256: digest(sql),
    findings: [{ statement: redact(sql), rule: 'r' }],
    unprinted: [{ statements: [{ text: redact(statement.text) }] }],
  });
  expect(contexts).toContain(redact(sql));
});
