import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

const schema = z.object({
  features: z.object({
    app_home: z.object({ home_tab_enabled: z.boolean().default(false) }).prefault({}),
    slash_commands: z
      .array(
        z.object({
          command: z.string().startsWith('/'),
          description: z.string(),
          usage_hint: z.string().optional(),
          should_escape: z.boolean().default(false),
        }),
      )
      .default([]),
  }),
  oauth_config: z.object({ scopes: z.object({ bot: z.array(z.string()) }) }),
  settings: z.object({
    event_subscriptions: z.object({ bot_events: z.array(z.string()) }),
    interactivity: z.object({ is_enabled: z.boolean() }).default({ is_enabled: false }),
    socket_mode_enabled: z.boolean().default(false),
  }),
});

/** What of the app manifest changes how Slack treats the app. */
export interface Manifest {
  scopes: ReadonlySet<string>;
  events: ReadonlySet<string>;
  /** Whether mentions in a command's text are escaped, by command. */
  commands: ReadonlyMap<string, { shouldEscape: boolean }>;
  interactivity: boolean;
  homeTab: boolean;
}

/**
 * Reads the app manifest.
 *
 * @throws ZodError when a part is missing or has the wrong shape
 */
export function readManifest(path: string): Manifest {
  const { features, oauth_config, settings } = schema.parse(parse(readFileSync(path, 'utf8')));
  return {
    scopes: new Set(oauth_config.scopes.bot),
    events: new Set(settings.event_subscriptions.bot_events),
    commands: new Map(features.slash_commands.map((c) => [c.command, { shouldEscape: c.should_escape }])),
    interactivity: settings.interactivity.is_enabled,
    homeTab: features.app_home.home_tab_enabled,
  };
}
