import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate that its own key signed, for the name `localhost`, in `server.crt` and `server.key` of the folder. */
export function makeCertificate(
  folder: string,
  owner?: { readonly uid: number; readonly gid: number },
): { readonly certificate: string; readonly key: string } {
  const [certificate, key] = [join(folder, 'server.crt'), join(folder, 'server.key')];
  const made = spawnSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
      ...['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate],
    ],
    { encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  chmodSync(key, 0o600);
  if (owner !== undefined) for (const file of [certificate, key]) chownSync(file, owner.uid, owner.gid);
  return { certificate, key };
}
