import type { JsonObject } from './json.js';
import type { StoredFile } from './model.js';
import { APP, TEAM } from './people.js';

const TYPES: Record<string, { mimetype: string; pretty: string }> = {
  txt: { mimetype: 'text/plain', pretty: 'Plain Text' },
  sql: { mimetype: 'text/plain', pretty: 'SQL' },
  log: { mimetype: 'text/plain', pretty: 'Plain Text' },
  json: { mimetype: 'application/json', pretty: 'JSON' },
  xml: { mimetype: 'application/xml', pretty: 'XML' },
  md: { mimetype: 'text/markdown', pretty: 'Markdown' },
};

/** The media type that Slack would see in a file's name. */
export function mimetypeOf(name: string): string {
  return TYPES[extension(name)]?.mimetype ?? 'application/octet-stream';
}

function extension(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot < 0 ? '' : name.slice(dot + 1).toLowerCase();
}

/** A file as the Web API describes it. */
export function fileToWire(file: StoredFile): JsonObject {
  if (file.state === 'deleted') return { id: file.id, mode: 'tombstone' };
  const kind = extension(file.name);
  const link = `https://${TEAM.domain}.slack.com/files/${APP.userId}/${file.id}/${encodeURIComponent(file.name)}`;
  const shares: Record<string, JsonObject[]> = {};
  for (const share of file.shares) {
    const entry = { ts: share.ts, ...(share.threadTs === undefined ? {} : { thread_ts: share.threadTs }) };
    shares[share.channel] = [...(shares[share.channel] ?? []), entry];
  }
  return {
    id: file.id,
    created: Math.floor(file.createdAt / 1000),
    timestamp: Math.floor(file.createdAt / 1000),
    name: file.name,
    title: file.title,
    mimetype: mimetypeOf(file.name),
    filetype: kind === '' ? 'binary' : kind,
    pretty_type: TYPES[kind]?.pretty ?? 'Binary',
    user: APP.userId,
    user_team: TEAM.id,
    editable: false,
    size: file.content.length,
    mode: 'hosted',
    is_external: false,
    is_public: false,
    public_url_shared: false,
    display_as_bot: false,
    url_private: link,
    permalink: link,
    ...(file.altText === undefined ? {} : { alt_txt: file.altText }),
    channels: [...new Set(file.shares.map((s) => s.channel))],
    shares: { public: shares },
  };
}
