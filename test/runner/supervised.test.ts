import { describe, expect, it } from 'vitest';
import type { Supervisor } from '../../src/clients/supervisor.js';
import { createPlanner } from '../../src/runner/plan.js';
import { runbook } from '../runbook/spec.js';
import { digest, kindsWith, redact, still, targetsOf } from './sample.js';

describe('a request where the end of the bot ends what it started', () => {
  const planned = async (supervisor: Supervisor, phase: string) => {
    const planner = createPlanner({
      config: { targets: targetsOf() },
      kinds: kindsWith(),
      targets: still,
      digest,
      redact,
      supervisor: async () => supervisor,
    });
    const block = runbook.phases.find((one) => one.id === phase);
    if (block === undefined) throw new Error(`there is no phase ${phase}`);
    return planner.plan(
      runbook,
      'digest',
      block.steps.map((step) => ({ block, step })),
    );
  };
  const unit = 'm10bot.service';

  it('is not made for a change that one restart of the unit would end', async () => {
    const killing = { kind: 'systemd', unit, killMode: 'mixed' } as const;
    expect(await planned(killing, 'staging')).toMatchObject({
      kind: 'failed',
      why: expect.stringMatching(/restart of m10bot\.service.*KillMode=mixed.*set KillMode=process/),
    });
    expect(await planned(killing, 'preflight')).toMatchObject({ kind: 'planned' });
  });

  it('is made, and says so at its head, where nothing can be set', async () => {
    expect(await planned({ kind: 'container' }, 'staging')).toMatchObject({
      kind: 'planned',
      plan: { headline: [expect.stringContaining('a stop of it ends a change')] },
    });
  });

  it('says nothing where what was started lives on', async () => {
    const process = { kind: 'systemd', unit, killMode: 'process' } as const;
    for (const supervisor of [process, { kind: 'none' as const }]) {
      const made = await planned(supervisor, 'staging');
      expect(made).toMatchObject({ kind: 'planned' });
      expect(made.kind === 'planned' && made.plan.headline).toBeUndefined();
    }
  });
});
