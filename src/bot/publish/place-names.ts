import { code } from '../render/escape.js';

/** What a message is about, by its key: for what could not be put into its thread. */
export function aboutKey(key: string): string {
  const gate = /^run:(\d+):gate:(\d+)$/.exec(key);
  if (gate !== null) return `request ${gate[2]} of run ${gate[1]}`;
  const run = /^run:(\d+):/.exec(key);
  if (run !== null) return `run ${run[1]}`;
  return code(key);
}
