import type { Config } from '../config.js';
import { attention, type Check } from './finding.js';

/** What the configuration file itself gives reason to warn of. */
export function configFileCheck(config: Pick<Config, 'warnings'>): Check {
  const what = 'configuration file';
  return { what, run: async () => (config.warnings ?? []).map((warning) => attention(what, warning)) };
}
