/** What the dataset routes answer in JSON. */
import Type from 'typebox'
import { ManifestPolicy } from './http-recipes.ts'

const text = (description: string) => Type.String({ description })
const count = (description: string) => Type.Integer({ description, minimum: 0 })
const counts = (description: string) => Type.Record(Type.String(), Type.Integer({ minimum: 0 }), { description })

const DatasetCounts = Type.Object(
  {
    trajectories: count('Trajectories known at the snapshot.'),
    rows: count('Those in the dataset.'),
    filtered: counts('Those that do not fit, by the first filter that they do not fit; `limit` for what it cut off.'),
    left_out: counts('Those that fit and are left out, by reason.'),
    leaks: Type.Optional(count('With leaks=count: those in the dataset whose item is to stay unseen.')),
  },
  { description: 'trajectories = rows + all of filtered + all of left_out.' },
)

const emptyNotice = Type.Optional(text('Why it has no rows, where it has none.'))

/** The answer to explain=counts. */
export const DatasetExplained = Type.Object({
  snapshot: count('The snapshot.'),
  url: text('The dataset, pinned.'),
  counts: DatasetCounts,
  notice: emptyNotice,
})

/** The answer of a pin that is built. */
export const DatasetPin = Type.Object({
  url: text('The dataset, pinned: the same bytes for ever.'),
  rows: count('Rows.'),
  bytes: count('Bytes.'),
  sha256: text('The SHA-256 of the bytes.'),
  snapshot: count('The snapshot.'),
  manifest: text('The URL of the manifest.'),
  notice: emptyNotice,
})

/** The answer of a pin that is not built yet. */
export const DatasetPinning = Type.Object({
  build: text('The URL of the build: GET tells its progress, DELETE cancels it.'),
  snapshot: count('The snapshot.'),
  pin: text('The URL to ask again, for the same snapshot.'),
})

/** A build under way, or one that ended. */
export const DatasetBuild = Type.Object({
  build: text('Its id.'),
  state: Type.Enum(['queued', 'running', 'done', 'failed', 'cancelled'], { description: 'What it is doing.' }),
  progress: Type.Number({ description: 'The share of its statements that are done.', minimum: 0, maximum: 1 }),
  url: Type.Optional(text('The dataset, once it is done.')),
  manifest: Type.Optional(text('The URL of the manifest, once it is done.')),
  problem: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), { description: 'Why it failed, as problem details.' }),
  ),
})

/** What is kept about a dataset. */
export const DatasetManifest = Type.Object({
  manifest_version: Type.Literal(1),
  build: text('The SHA-256 of path and query.'),
  url: text('The dataset, pinned.'),
  recipe: text('The recipe.'),
  format: text('The format.'),
  shape: text('How messages are written.'),
  filter: text('The canonical filter, as a query string.'),
  snapshot: count('The snapshot.'),
  snapshot_created_at: text('When that was taken.'),
  log_id: text('The log.'),
  offsets: text('It has exactly the records below these offsets.'),
  counts: DatasetCounts,
  rows: count('Rows.'),
  bytes: count('Bytes.'),
  sha256: text('The SHA-256 of the bytes.'),
  object: text('The blob key of the bytes.'),
  engine: text('What wrote it.'),
  lineage: Type.Object({ lake_files: Type.Array(Type.String(), { description: 'The lake files that were read.' }) }),
  created_at: text('When it was built.'),
  policies: Type.Array(ManifestPolicy, { description: 'The policies that say they were trained on it.' }),
})

const named = { name: text('Its name.'), description: text('What it is.') }

/** What can be asked for. */
export const DatasetCatalogue = Type.Object({
  recipes: Type.Array(
    Type.Object({
      ...named,
      shapes: Type.Array(Type.String(), { description: 'The shapes that it can be written in.' }),
      columns: Type.Record(Type.String(), Type.String(), {
        description: 'Columns with their DuckDB types, in the default shape.',
      }),
      reasons: Type.Array(Type.Object(named), { description: 'Why a selected trajectory may give no row.' }),
    }),
  ),
  formats: Type.Array(Type.Object({ ...named, media_type: text('The media type.') })),
  shapes: Type.Array(Type.String()),
  filters: Type.Array(
    Type.Object({
      ...named,
      kind: text('What its values are.'),
      operators: Type.Array(Type.String()),
      words: Type.Optional(Type.Array(Type.String())),
    }),
  ),
  reasons: Type.Array(Type.Object(named)),
})
