import type { TargetConfig } from '../config.js';
import { quoted } from './quoted.js';

/**
 * The whole environment of a command on a target: what the configuration gives it, its own database and Redis,
 * and the name its sessions carry. Nothing is inherited, so that a command for staging cannot reach the
 * production or default server of whoever started the bot.
 */
export function commandEnvironment(
  target: TargetConfig,
  applicationName: string,
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const { url, options } = childUrl(target.databaseUrl);
  const given = { ...target.env, ...extra };
  const pgOptions = [given.PGOPTIONS, options].filter((part) => part).join(' ');
  return {
    ...given,
    DATABASE_URL: url,
    ...(target.redisUrl === null ? {} : { REDIS_URL: target.redisUrl }),
    PGAPPNAME: applicationName,
    ...(pgOptions === '' ? {} : { PGOPTIONS: pgOptions }),
  };
}

/**
 * A database URL without the parameters that would win over PGAPPNAME and PGOPTIONS: sessions are found by their
 * name after a crash, and a lock_timeout must hold.
 */
export function childUrl(databaseUrl: string): { url: string; options: string } {
  const at = databaseUrl.indexOf('?');
  if (at < 0) return { url: databaseUrl, options: '' };
  const parameters = databaseUrl
    .slice(at + 1)
    .split('&')
    .filter((part) => part !== '');
  const named = (part: string, name: string) => part.startsWith(`${name}=`);
  const options = parameters
    .filter((part) => named(part, 'options'))
    .map((part) => decodeURIComponent(part.slice('options='.length)))
    .join(' ');
  const kept = parameters.filter((part) => !named(part, 'options') && !named(part, 'application_name'));
  const base = databaseUrl.slice(0, at);
  return { url: kept.length === 0 ? base : `${base}?${kept.join('&')}`, options };
}

/** A command as people read it, the values of its environment named but not shown. */
export function rendered(
  target: TargetConfig,
  argv: readonly string[],
  extra: Readonly<Record<string, string>> = {},
): string {
  const names = [
    `DATABASE_URL=<${target.name}>`,
    ...(target.redisUrl === null ? [] : [`REDIS_URL=<${target.name}>`]),
    ...Object.entries(extra).map(([name, value]) => `${name}=${quoted(value)}`),
  ];
  return `${names.join(' ')} ${argv.map(quoted).join(' ')}`;
}
