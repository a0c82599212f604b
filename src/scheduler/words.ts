import cronstrue from 'cronstrue';

/** A schedule as people say it: `Every 30 seconds (UTC)`; the expression itself where there are no words for it. */
export function inWords(schedule: string, timezone: string): string {
  try {
    const words = cronstrue.toString(schedule, { use24HourTimeFormat: true, verbose: false });
    return `${words} (${timezone})`;
  } catch {
    return `${schedule} (${timezone})`;
  }
}
