// The import table of ARCHITECTURE.md. Each row lists what a folder may import besides itself and packages;
// everything that is not in a row's list is an error.
const table = {
  runbook: [],
  store: ['runbook'],
  clients: [],
  checks: ['runbook', 'clients'],
  actions: ['runbook', 'clients', 'checks'],
  runner: ['runbook', 'store', 'checks', 'actions'],
  commands: ['runbook', 'store'],
  bot: ['runbook', 'store', 'commands'],
  scheduler: ['runbook', 'store', 'clients', 'checks'],
  metrics: ['runbook', 'store', 'clients'],
};

const rows = Object.entries(table).map(([folder, allowed]) => ({
  name: `import-table-${folder}`,
  comment: `src/${folder} may import ${allowed.map((a) => `src/${a}`).join(', ') || 'no other folder'}`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: {
    path: '^(src|workspace|test|bench)/',
    pathNot: [folder, ...allowed]
      .map((a) => `^src/${a}/`)
      .concat(
        // Leaves that everything but the pure core may see: configuration types, the redactor, cuts, clocks, likely words.
        folder === 'runbook' ? [] : ['^src/(config|config-jobs|redact|excerpt|zone|nearest)\\.ts$'],
        folder === 'bot' ? ['^src/clients/slack\\.ts$'] : [],
        // What the jobs tell while they work.
        folder === 'metrics' ? ['^src/scheduler/observe\\.ts$'] : [],
      ),
  },
}));

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'core-is-pure',
      comment: 'src/runbook has no I/O: zod is the sole package it may import',
      severity: 'error',
      from: { path: '^src/runbook/' },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev'], pathNot: 'node_modules/zod/' },
    },
    {
      name: 'execa-in-one-place',
      comment: 'children are started by src/clients/process.ts and its own folder alone',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/clients/process(\\.ts$|/)' },
      to: { path: 'node_modules/execa/|^(node:)?child_process$' },
    },
    {
      name: 'product-stands-alone',
      comment: 'nothing in src imports the trial workspace, tests or benchmarks',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(workspace|test|bench)/' },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...rows,
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Programs with packages of their own, which only the benchmark installs.
    exclude: { path: '^bench/peers/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
