import { sized } from '../checks/outcome.js';
import { readDisk } from '../clients/disk.js';
import type { Config } from '../config.js';
import { type Check, type Finding, fine, problem } from './finding.js';

/** Where backups go: there, writable, with room. */
export function backupsCheck({ backups }: Pick<Config, 'backups'>): Check {
  const what = `backup directory ${backups.directory}`;
  return {
    what,
    async run() {
      const disk = await readDisk(backups.directory);
      if (disk.kind === 'missing') {
        return [
          problem(
            what,
            'does not exist',
            `create it for the user of the bot: mkdir -p -m 700 ${backups.directory}`,
          ),
        ];
      }
      if (disk.kind === 'not_a_directory') {
        return [problem(what, 'is not a directory', 'set backups.directory to one')];
      }
      const findings: Finding[] = [];
      if (!disk.writable) {
        findings.push(problem(what, `cannot be written: ${disk.problem}`, 'give it to the user of the bot'));
      }
      const room = `${sized(disk.freeBytes)} free, at least ${sized(backups.minFreeBytes)} wanted`;
      if (disk.freeBytes < backups.minFreeBytes) {
        findings.push(problem(what, room, 'make room, or set backups.directory to a larger disk'));
      }
      return findings.length > 0 ? findings : [fine(what, `writable, ${room}`)];
    },
  };
}
