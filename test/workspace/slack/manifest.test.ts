import { readFileSync } from 'node:fs';
import type { AppsManifestValidateArguments } from '@slack/web-api';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readManifest } from '../../../workspace/slack/manifest.js';

// The type checker compares these names with Slack's own list; its schema of manifests does not.
type Asked = Exclude<AppsManifestValidateArguments['manifest'], string>;
const asked = {
  display_information: { name: 'm10bot' },
  oauth_config: {
    scopes: {
      bot: [
        'commands',
        'chat:write',
        'reactions:read',
        'users:read',
        'usergroups:read',
        'files:write',
        'channels:read',
        'groups:read',
        'channels:history',
        'groups:history',
      ],
    },
  },
  settings: {
    event_subscriptions: { bot_events: ['reaction_added', 'reaction_removed', 'app_home_opened'] },
  },
} satisfies Asked;

test('the manifest asks for these scopes and events and no others', () => {
  const manifest = readManifest('manifest.yml');
  expect([...manifest.scopes]).toEqual(asked.oauth_config.scopes.bot);
  expect([...manifest.events]).toEqual(asked.settings.event_subscriptions.bot_events);
  expect(manifest).toMatchObject({ interactivity: true, homeTab: false });
  expect(manifest.commands.get('/m10')).toEqual({ shouldEscape: true });
});

test('the texts keep to the lengths that Slack takes', () => {
  const { display_information: shown, features, settings } = parse(readFileSync('manifest.yml', 'utf8'));
  expect(shown.name.length).toBeLessThanOrEqual(35);
  expect(shown.description.length).toBeLessThanOrEqual(140);
  expect(shown.long_description.length).toBeGreaterThanOrEqual(174);
  expect(features.slash_commands[0].usage_hint.length).toBeLessThanOrEqual(1000);
  expect(settings.socket_mode_enabled).toBe(true);
});
