import { attention, type Finding, fine } from './finding.js';

/** From here on, times in messages and in the journal contradict each other. */
const mostMs = 5_000;

/** Compares this machine's clock with another's; nothing when the other did not say. */
export function clockFinding(of: string, aheadMs: number | null): Finding[] {
  if (aheadMs === null) return [];
  const what = `clock against ${of}`;
  const seconds = Math.abs(aheadMs) / 1_000;
  if (Math.abs(aheadMs) <= mostMs) return [fine(what, `${seconds.toFixed(1)} s apart`)];
  return [
    attention(
      what,
      `this machine is ${seconds.toFixed(0)} s ${aheadMs > 0 ? 'ahead' : 'behind'}, so times in messages and expiries are off`,
      'let both keep their time by NTP',
    ),
  ];
}
