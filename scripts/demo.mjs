// Plays the whole story on this machine, on a fresh clone too: npm run demo [-- options].
import { bootstrap, launch } from './bootstrap.mjs';
import { runCompiled } from './launch.mjs';

await launch(() => runCompiled('workspace/demo/main.js', process.argv.slice(2), bootstrap().toolPath));
