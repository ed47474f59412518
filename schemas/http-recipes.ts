/** What the routes of saved recipes, shards and policies take and answer in JSON. */
import Type from 'typebox'

const text = (description: string) => Type.String({ description })
const count = (description: string) => Type.Integer({ description, minimum: 0 })

const filter = Type.Union(
  [
    Type.String(),
    Type.Record(
      Type.String(),
      Type.Union([
        Type.String(),
        Type.Number(),
        Type.Boolean(),
        Type.Array(Type.Union([Type.String(), Type.Number(), Type.Boolean()])),
      ]),
    ),
  ],
  { description: 'Parameters of /v1/datasets, as a query string or as an object of values and lists of values.' },
)

/** The body that saves a recipe. */
export const RecipeBody = Type.Object({
  name: text('The name: 1 to 64 letters, digits, _ and -.'),
  recipe: text('The recipe that it is, such as sft.'),
  filter: Type.Optional(filter),
  description: Type.Optional(text('What it is for.')),
})

/** A version of a saved recipe. */
export const RecipeRow = Type.Object({
  name: text('The name.'),
  version: count('The version, from 1 on.'),
  recipe: text('The recipe that it is.'),
  query: text('What it asks, as a canonical query string.'),
  description: text('What it is for.'),
  created_at: text('When it was saved.'),
  url: text('This version as Parquet, of the newest snapshot.'),
})

export const RecipeVersions = Type.Object({ rows: Type.Array(RecipeRow, { description: 'Oldest first.' }) })

/** The URLs of a dataset's shards. */
export const DatasetShards = Type.Object({
  snapshot: count('The snapshot that all of them are pinned to.'),
  n: count('How many.'),
  urls: Type.Array(Type.String(), { description: 'The shards in order: together everything, none twice.' }),
})

const TrainedOn = Type.Object({
  given: text('As policy.published says it: a URL, or a hash.'),
  state: Type.Enum(['built', 'not_built', 'unknown'], {
    description:
      'built: its bytes are here; not_built: it names a dataset here that was never built; unknown: neither.',
  }),
  url: Type.Optional(text('The dataset, pinned.')),
  build: Type.Optional(text('Its build.')),
  manifest: Type.Optional(text('The URL of its manifest.')),
  sha256: Type.Optional(text('The SHA-256 of its bytes.')),
  snapshot: Type.Optional(count('The snapshot.')),
  rows: Type.Optional(count('Rows.')),
})

/** A checkpoint that was published. */
export const PolicyRow = Type.Object({
  run_id: text('The run.'),
  policy_version: count('The version.'),
  train_step: count('The train step that produced it.'),
  published_at: text('When it was published.'),
  data: Type.Record(Type.String(), Type.Unknown(), { description: 'Everything that policy.published said.' }),
})

export const PolicyWhole = Type.Intersect([
  PolicyRow,
  Type.Object({ trained_on: Type.Array(TrainedOn, { description: 'The datasets that it was trained on.' }) }),
])

/** A policy as the manifest of a dataset names it. */
export const ManifestPolicy = Type.Object({
  run_id: text('The run.'),
  policy_version: count('The version.'),
  train_step: count('The train step that produced it.'),
  url: text('The policy.'),
})

export const KeptSnapshot = Type.Object({
  snapshot_id: count('The snapshot.'),
  keep: Type.Boolean({ description: 'Whether it is kept beyond its time.' }),
})
