/**
 * Dependencies point one way (ARCHITECTURE.md, "Folders"). Each rule names what a folder must not reach, and why.
 * @type {import('dependency-cruiser').IConfiguration}
 */
const only = (name, comment, from, allowed) => ({
  name,
  comment,
  severity: 'error',
  from: { path: `^src/${from}/` },
  to: { path: '^src/', pathNot: allowed.map((folder) => `^src/${folder}`) },
})

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'A cycle hides which part owns what.',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    only(
      'domain-is-pure',
      'Billing rules run in the workflow sandbox and in tables of tests: no I/O.',
      'domain',
      ['domain/'],
    ),
    {
      name: 'domain-libraries',
      comment: 'The domain knows the decimal and the calendar library, nothing else.',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: {
        dependencyTypes: ['npm', 'npm-dev', 'core'],
        pathNot: ['node_modules/(big\\.js|@types/big\\.js|temporal-polyfill|temporal-spec)/'],
      },
    },
    {
      name: 'workflows-see-contracts',
      comment:
        'The bundler would pull a database client into the workflow sandbox: values come from src/domain only.',
      severity: 'error',
      from: { path: '^src/workflows/' },
      to: { path: '^src/', pathNot: ['^src/(workflows|domain)/', '^src/activities/contracts\\.ts$'] },
    },
    {
      name: 'workflows-import-contract-types-only',
      comment: 'Activities are reached through proxies, never imported as values.',
      severity: 'error',
      from: { path: '^src/workflows/' },
      to: { path: '^src/activities/', dependencyTypesNot: ['type-only'] },
    },
    only('db-is-an-adapter', 'Adapters do not know each other.', 'db', ['db/', 'domain/']),
    only('stripe-is-an-adapter', 'Adapters do not know each other.', 'stripe', ['stripe/', 'domain/']),
    only('temporal-is-an-adapter', 'Adapters do not know each other.', 'temporal', [
      'temporal/',
      'domain/',
      'workflows/search-attributes\\.ts',
      'activities/contracts\\.ts',
    ]),
    only(
      'activities-use-adapters',
      'Activities and API use the adapters and never each other.',
      'activities',
      ['activities/', 'domain/', 'db/', 'stripe/', 'temporal/', 'billing/'],
    ),
    only(
      'billing-uses-adapters',
      'Billing steps are shared by activities and API: load, plan, execute.',
      'billing',
      ['billing/', 'domain/', 'db/', 'stripe/'],
    ),
    only('relay-delivers', 'The relay moves inbox and outbox rows to Temporal.', 'relay', [
      'relay/',
      'domain/',
      'db/',
      'temporal/',
      'stripe/',
      'billing/',
      'periodic\\.ts',
    ]),
    only(
      'reconciler-repairs',
      'The reconciler compares rows, workflows and Stripe, and starts what is missing.',
      'reconcile',
      ['reconcile/', 'domain/', 'db/', 'temporal/', 'stripe/', 'billing/', 'periodic\\.ts'],
    ),
    only(
      'metrics-are-told',
      'Metrics implement the observers of others, and read the database; nobody needs them.',
      'metrics',
      [
        'metrics/',
        'db/',
        'api/observer\\.ts',
        'stripe/types\\.ts',
        'relay/relay\\.ts',
        'reconcile/loop\\.ts',
        'activities/deps\\.ts',
      ],
    ),
    only('api-is-thin', 'Activities and API use the adapters and never each other.', 'api', [
      'api/',
      'reconcile/',
      'domain/',
      'db/',
      'stripe/',
      'temporal/',
      'billing/',
      'config\\.ts',
    ]),
    only('cli-uses-the-api', 'The command line is a client of the API and a starter of processes.', 'cli', [
      'cli/',
      'local/',
      'config\\.ts',
      'version\\.ts',
      'domain/',
      'db/',
      'stripe/',
      'temporal/',
    ]),
    only('sandbox-stands-alone', 'The sandbox is Stripe, not part of the product.', 'sandbox', ['sandbox/']),
    {
      name: 'nothing-imports-the-sandbox',
      comment: 'Only the local starter runs it.',
      severity: 'error',
      from: { path: '^(src/|worker\\.ts|server\\.ts|cli\\.ts)', pathNot: '^src/(sandbox|local)/' },
      to: { path: '^src/sandbox/' },
    },
    {
      name: 'sql-in-one-place',
      severity: 'error',
      comment: 'src/db is the only importer of pg and kysely.',
      from: { path: '^(src/|worker|server|cli)', pathNot: '^src/(db|local)/' },
      to: { path: 'node_modules/(pg|kysely)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'prometheus-in-one-place',
      severity: 'error',
      comment: 'src/metrics is the only importer of prom-client: what is measured says so to an observer.',
      from: { path: '^(src/|worker|server|cli)', pathNot: '^src/metrics/' },
      to: { path: 'node_modules/prom-client/' },
    },
    {
      name: 'metrics-look-from-outside',
      severity: 'error',
      comment: 'Observers are types only: metrics must not pull the parts that they observe.',
      from: { path: '^src/metrics/' },
      to: { path: '^src/(api|stripe|relay|reconcile|activities)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'stripe-in-one-place',
      severity: 'error',
      comment: 'src/stripe is the only importer of stripe.',
      from: { path: '^(src/|worker|server|cli)', pathNot: '^src/(stripe|local|sandbox)/' },
      to: { path: 'node_modules/stripe/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
}
