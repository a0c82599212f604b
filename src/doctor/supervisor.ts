import type { Processes } from '../clients/process.js';
import { harmOfEnd, readSupervisor } from '../clients/supervisor.js';
import { attention, type Check, fine } from './finding.js';

/** What an end of the bot would do to a change under way, as far as it runs where the doctor does. */
export function supervisorCheck(processes: Processes): Check {
  const what = 'end of the bot';
  return {
    what,
    async run() {
      const supervisor = await readSupervisor(processes, { PATH: process.env.PATH ?? '' });
      const harm = harmOfEnd(supervisor);
      if (harm !== null) return [attention(what, harm.what, harm.todo)];
      return supervisor.kind === 'none' ? [] : [fine(what, 'leaves a change that is under way alone')];
    },
  };
}
