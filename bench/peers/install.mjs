// Installs what package-lock.json of this folder says, once; prints the Node that the peers need.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installModules } from '../../scripts/modules.mjs';

const here = dirname(fileURLToPath(import.meta.url));
installModules(here, (line) => console.error(line.replace('node modules', 'the peers of the outbox')));
console.log(join(here, 'node_modules', 'node', 'bin', 'node'));
