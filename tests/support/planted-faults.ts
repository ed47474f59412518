/** Files that break one rule each. The tidy test plants them and expects that very rule to speak. */
export type PlantedFault = {
  /** Where the file is planted, from the root. */
  readonly path: string
  readonly source: string
  /** The rule that must fire in that file, as oxlint names it; absent for a file that must pass. */
  readonly rule?: string
  /** A part of what the rule must say, which tells one boundary from another. */
  readonly says?: string
}

const imports = (path: string, specifier: string, says: string): PlantedFault => ({
  path,
  source: `import { planted } from '${specifier}'\nexport const used = planted\n`,
  rule: 'eslint(no-restricted-imports)',
  says,
})

const passes = (path: string, ...specifiers: readonly string[]): PlantedFault => ({
  path,
  source: specifiers.map((specifier, index) => `export { planted as planted${index} } from '${specifier}'\n`).join(''),
})

const program = 'never an adapter, never another program'

export const boundaryFaults: readonly PlantedFault[] = [
  imports('schemas/planted-service.ts', '#services/core/fold.ts', 'schemas import typebox'),
  imports('schemas/planted-vendor.ts', 'hono', 'schemas import typebox'),
  imports('services/core/planted-node.ts', 'node:fs', 'core is pure'),
  imports('services/core/planted-vendor.ts', 'lmdb', 'core is pure'),
  imports('services/core/planted-clock.ts', '#services/clock.ts', 'core is pure'),
  imports('services/planted-shared.ts', '#services/query/main.ts', 'shared language'),
  imports('services/planted-shared-vendor.ts', 'lmdb', 'shared language'),
  imports('services/log/log.ts', './lmdb.ts', 'A port imports'),
  imports('services/store/store.ts', './pglite.ts', 'A port imports'),
  imports('services/blobs/blobs.ts', './directory.ts', 'A port imports'),
  imports('services/log/lmdb-planted.ts', '#services/store/store.ts', 'LMDB adapter'),
  imports('services/log/other-planted.ts', 'lmdb', 'adapter'),
  imports('services/store/pglite-planted.ts', 'lmdb', 'PGlite adapter'),
  imports('services/store/postgres-planted.ts', '@electric-sql/pglite', 'Postgres adapter'),
  imports('services/blobs/s3-planted.ts', 'pg', 'S3 adapter'),
  imports('services/blobs/directory-planted-vendor.ts', '@aws-sdk/client-s3', 'services/blobs'),
  imports('services/blobs/directory-planted.ts', '#services/ingest/main.ts', 'services/blobs'),
  imports('services/lake/planted-store.ts', '#services/store/store.ts', 'lake imports'),
  imports('services/ingest/planted.ts', '#services/log/lmdb.ts', program),
  imports('services/project/planted.ts', '#services/ingest/app.ts', program),
  imports('services/archive/planted.ts', '@electric-sql/pglite', program),
  imports('services/query/planted.ts', '#services/store/pglite.ts', program),
  imports('services/gym/planted.ts', '#services/query/app.ts', program),
  imports('services/verify/planted.ts', '#services/blobs/directory.ts', program),
  imports('services/datasets/planted.ts', '#services/archive/cut.ts', program),
  imports('services/ducklake/planted.ts', '#services/blobs/directory.ts', 'ducklake imports'),
  imports('services/import/planted.ts', '#services/ingest/app.ts', program),
  imports('services/serve/planted-test.ts', '#tests/support/planted-faults.ts', 'Nothing imports tests'),
  imports('services/cli/planted-test.ts', '#tests/support/planted-faults.ts', 'Nothing imports tests'),
  imports('services/serve/planted-up.ts', '../log/log.ts', 'never upwards'),
  imports('tests/planted-up.ts', '../services/log/log.ts', 'never upwards'),
  {
    path: 'services/query/planted-dynamic.ts',
    source: "export const planted = () => import('#services/log/lmdb.ts')\n",
    rule: 'eslint(no-restricted-imports)',
    says: program,
  },
]

/** What the same rules must let through, so that a rule that refuses everything is found too. */
export const boundaryInnocents: readonly PlantedFault[] = [
  passes('schemas/planted-good.ts', 'typebox', './fields.ts', '#schemas/events/define.ts'),
  passes('services/core/planted-good.ts', '#schemas/events.ts', './canonical.ts', 'typebox/value'),
  passes('services/log/lmdb-good.ts', './log.ts', 'lmdb', 'node:fs', '#services/problem.ts', '#services/core/key.ts'),
  passes('services/store/pglite-good.ts', './store.ts', 'kysely', '@electric-sql/pglite', '#migrations/list.ts'),
  passes('services/store/postgres-good.ts', './store.ts', 'kysely', 'pg', 'pg-copy-streams'),
  passes('services/blobs/s3-good.ts', './blobs.ts', '@aws-sdk/client-s3', 'node:fs'),
  passes('services/lake/planted-good.ts', '@duckdb/node-api', '#services/blobs/blobs.ts', '#services/core/sort.ts'),
  passes('services/query/planted-good.ts', 'hono', '#services/datasets/build.ts', '#services/verify/compare.ts'),
  passes('services/ducklake/planted-good.ts', 'kysely', '#services/store/store.ts', '#services/lake/catalog.ts'),
  passes('services/project/planted-good.ts', '#services/log/log.ts', '#services/store/store.ts', './batch.ts'),
  passes('services/serve/planted-good.ts', '#services/log/open.ts', '#services/query/app.ts', 'hono'),
]

export const codeFaults: readonly PlantedFault[] = [
  {
    path: 'services/query/floating.ts',
    source: 'const work = async () => 1\nexport const start = () => {\n  work()\n}\n',
    rule: 'typescript(no-floating-promises)',
  },
  {
    path: 'services/query/misused.ts',
    source: "const work = async () => true\nexport const answer = () => (work() ? 'yes' : 'no')\n",
    rule: 'typescript(no-misused-promises)',
  },
  {
    path: 'services/query/switch.ts',
    source:
      "export const name = (kind: 'a' | 'b') => {\n  switch (kind) {\n    case 'a':\n      return 1\n  }\n  return 2\n}\n",
    rule: 'typescript(switch-exhaustiveness-check)',
  },
  {
    path: 'services/query/loose.ts',
    source: 'export const loose = (value: any) => value\n',
    rule: 'typescript(no-explicit-any)',
  },
  {
    path: 'services/query/cycle-one.ts',
    source: "import { two } from '#services/query/cycle-two.ts'\nexport const one = () => two\n",
    rule: 'import(no-cycle)',
  },
  {
    path: 'services/query/cycle-two.ts',
    source: "import { one } from '#services/query/cycle-one.ts'\nexport const two = () => one\n",
    rule: 'import(no-cycle)',
  },
  { path: 'services/query/console.ts', source: "console.log('planted')\n", rule: 'eslint(no-console)' },
  {
    path: 'services/query/environment.ts',
    source: "export const home = process.env['HOME']\n",
    rule: 'node(no-process-env)',
  },
  {
    path: 'services/core/now.ts',
    source: 'export const now = () => Date.now()\n',
    rule: 'eslint(no-restricted-properties)',
  },
  {
    path: 'services/core/chance.ts',
    source: 'export const chance = () => Math.random()\n',
    rule: 'eslint(no-restricted-properties)',
  },
  {
    path: 'services/core/random-id.ts',
    source: "import { randomUUID } from 'node:crypto'\nexport const id = () => randomUUID()\n",
    rule: 'eslint(no-restricted-imports)',
    says: 'takes chance',
  },
  {
    path: 'services/core/process.ts',
    source: 'export const id = () => process.pid\n',
    rule: 'eslint(no-restricted-globals)',
  },
  {
    path: 'services/query/long-function.ts',
    source: `export const long = () => {\n${'  String(1)\n'.repeat(71)}}\n`,
    rule: 'eslint(max-lines-per-function)',
  },
]

/** The three places that may do what is refused elsewhere. */
export const codeInnocents: readonly PlantedFault[] = [
  { path: 'services/cli/console-good.ts', source: "console.log('planted')\n" },
  { path: 'services/config.ts', source: "export const home = process.env['HOME']\n" },
  {
    path: 'services/core/hash-good.ts',
    source: "import { createHash } from 'node:crypto'\nexport const hash = () => createHash('sha256')\n",
  },
]
