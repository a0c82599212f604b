import { clockToleranceMs } from '../store/clock.js';
import { attention, type Finding, fine } from './finding.js';

/** Compares this machine's clock with another's; nothing when the other did not say. */
export function clockFinding(of: string, aheadMs: number | null): Finding[] {
  if (aheadMs === null) return [];
  const what = `clock against ${of}`;
  const seconds = Math.abs(aheadMs) / 1_000;
  if (Math.abs(aheadMs) <= clockToleranceMs) return [fine(what, `${seconds.toFixed(1)} s apart`)];
  return [
    attention(
      what,
      `this machine is ${seconds.toFixed(0)} s ${aheadMs > 0 ? 'ahead' : 'behind'}, so times in its log and in names of files are off; the state database's clock decides when requests expire`,
      'let both keep their time by NTP',
    ),
  ];
}
