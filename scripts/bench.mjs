// Runs the benchmarks, on a fresh clone too: npm run bench [-- options].
import { bootstrap, launch } from './bootstrap.mjs';
import { runCompiled } from './launch.mjs';

await launch(() => runCompiled('bench/main.js', process.argv.slice(2), bootstrap().toolPath));
