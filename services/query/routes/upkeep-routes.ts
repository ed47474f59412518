/** GET /v1/upkeep: how well store and lake keep up, and what lies about. */
import Type from 'typebox'
import { list, object, text } from '#schemas/fields.ts'
import { flag } from '#services/query/parameters.ts'
import { jsonAnswer } from '#services/query/reading.ts'
import { route, type Route } from '#services/query/route.ts'
import { datasetBytes } from '#services/verify/dataset-bytes.ts'
import { upkeepOf } from '#services/verify/upkeep.ts'

const count = (description: string) => Type.Integer({ description, minimum: 0 })
const size = (description: string) => object({ n: count('How many.'), bytes: count('Bytes.') }, description)

const Upkeep = object(
  {
    lag: list(
      object(
        {
          partition: count('The partition.'),
          log_end: count('The next offset of the log.'),
          store_behind: count('Records that the store does not include yet.'),
          lake_behind: count('Records that the lake does not include yet.'),
        },
        'One partition.',
      ),
      'By partition.',
    ),
    quarantined: count('Records that could not be read and that nobody has looked after.'),
    snapshots: count('Snapshots that are kept.'),
    unpublished: count('Snapshots that wait for their record in blobs.'),
    delta_behind: count('Snapshots that the Delta logs do not have yet.'),
    files: size('Files of the newest snapshot.'),
    superseded: size('Files that only older snapshots have.'),
    orphans: size('Objects that no snapshot has; they are removed a day after they were seen.'),
    datasets: Type.Optional(
      list(
        object(
          {
            runs: text('The runs, parted by commas; empty for all.'),
            datasets: count('Builds.'),
            bytes: count('Bytes.'),
          },
          'Datasets of the same runs.',
        ),
        'By the runs that were asked for.',
      ),
    ),
    findings: list(
      object({ what: text('What is wrong.'), mend: text('What mends it.') }, 'A finding.'),
      'What is wrong.',
    ),
  },
  'How well everything keeps up.',
)

export const UPKEEP_ROUTES: readonly Route[] = [
  route({
    path: '/v1/upkeep',
    tag: 'Operations',
    summary: 'How far store, lake and Delta logs are behind, and what lies about',
    detail:
      'What `stepstore doctor` asks: lag by partition, quarantine, snapshots, files, orphans, and findings with what mends them.',
    parameters: { datasets: flag('Add up the bytes of built datasets by the runs that they were asked for, too.') },
    answers: [{ status: 200, description: 'The state as of now.', schema: Upkeep }],
    handle: async ({ deps, query }) => {
      const upkeep = await upkeepOf(deps.store.db, await deps.log.bounds(), deps.clock())
      const datasets = query.datasets === true ? { datasets: await datasetBytes(deps.blobs) } : {}
      return jsonAnswer(deps, { ...upkeep, ...datasets }, deps.project.offsets)
    },
  }),
]
