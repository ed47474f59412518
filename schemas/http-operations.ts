/** What the API answers about itself: gaps, quarantine, snapshots, files, positions, health. */
import Type, { type TSchema } from 'typebox'
import { flag, instant, integer, json, list, object, oneOf, text } from './fields.ts'

const orNull = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])

/** What can be missing, in the order in which it is listed. */
export const GAP_KINDS = [
  'missing_steps',
  'conflict',
  'unfinished',
  'incomplete_group',
  'missing_image',
  'late',
] as const

export const Gap = object(
  {
    kind: oneOf(GAP_KINDS, 'What is missing or wrong.'),
    run_id: orNull(text('The run.')),
    trajectory_id: orNull(text('The trajectory.')),
    group_id: orNull(text('The group.')),
    item_id: orNull(text('The item.')),
    image_id: orNull(text('The image.')),
    count: integer('How many: steps missing, late steps, rollouts missing, references to the image.'),
    step_indexes: list(integer('A step index.'), 'Steps that are missing; the first 100.'),
    partition: orNull(integer('The partition of the record.')),
    offset: orNull(integer('The offset of the record.')),
    last_event_at: orNull(instant('The latest time of an event about it.')),
    detail: text('The same as a sentence.'),
  },
  'Something that is missing.',
)

export const QuarantineRow = object(
  {
    quarantine_id: text('The SHA-256 of the bytes.'),
    state: oneOf(['open', 'dropped', 'retried'], 'What became of it.'),
    code: text('A code for the reason.'),
    message: text('What was wrong.'),
    pointer: text('Where, as a JSON pointer.'),
    hint: text('What to do.'),
    bytes: integer('Its size.'),
    n_seen: integer('How often it came.'),
    partition: integer('The partition of the log.'),
    offset: integer('Where it came first.'),
    last_offset: integer('Where it came last.'),
    seen_at: instant('When it came first.'),
  },
  'A record that could not be read.',
)

export const QuarantineWhole = object(
  {
    ...QuarantineRow.properties,
    encoding: oneOf(['utf8', 'base64'], 'How raw is written here.'),
    raw: text('The bytes as they were sent.'),
    headers: Type.Record(Type.String(), Type.String(), { description: 'The headers of the record.' }),
    appended_at: orNull(instant('When the log appended it first.')),
  },
  'A record that could not be read, with its bytes.',
)

export const Appended = object(
  {
    quarantine_id: text('The record.'),
    state: text('Its state from now on.'),
    position: text('The position that includes the change.'),
  },
  'A change that is durable in the log.',
)

export const SnapshotRow = object(
  {
    snapshot_id: integer('The snapshot.', 1),
    created_at: instant('When it was made.'),
    cut: text('The next offset of each partition, as 0:123,3:45.'),
    position: text('The same as a position.'),
  },
  'A state of the lake: exactly the records below its cut.',
)

export const FileRow = object(
  {
    path: text('Its key in the blob store.'),
    url: text('Where it can be read.'),
    dt: text('The day of append of its rows.'),
    rows: integer('Rows.'),
    bytes: integer('Size in bytes.'),
    sha256: text('The SHA-256 of the file.'),
    begin_snapshot: integer('The first snapshot that has it.'),
    stats: json('For each column that filters use: min, max and null count.'),
  },
  'A Parquet file of a table of the lake.',
)

export const Files = object(
  {
    snapshot: integer('The snapshot.', 1),
    table: text('The table.'),
    rows: list(FileRow, 'Its files.'),
    next: orNull(text('The cursor of the next page.')),
  },
  'The files of a table at a snapshot.',
)

export const PositionAnswer = object(
  {
    position: text('What reads include now.'),
    offsets: text('The same in the plain form.'),
    log_end: text('What the log holds now, as a position.'),
    log_end_offsets: text('The same in the plain form.'),
    log_id: text('The identity of the log.'),
    partitions: integer('The partitions of the log.', 1),
  },
  'How far reads are.',
)

export const Health = object({ status: text('ok.') }, 'The process answers.')

export const Readiness = object(
  {
    ready: flag('Whether reads include the log but for a moment.'),
    reasons: list(
      object(
        {
          code: text('rebuilding, lag, failing, not_answering or starting.'),
          detail: text('What is waited for.'),
          done: Type.Optional(integer('Records done.')),
          of: Type.Optional(integer('Records to do.')),
        },
        'A reason.',
      ),
      'Why not.',
    ),
    lag: Type.Optional(
      object(
        {
          folding: integer('Records of the log that rows do not include yet.'),
          archiving: integer('Records of the log that the newest snapshot of the lake does not include yet.'),
        },
        'How far behind the log everything is.',
      ),
    ),
  },
  'Whether reads are of use now.',
)

export const ProblemBody = object(
  {
    type: text('A URN of the code.'),
    title: text('What the code means.'),
    status: integer('The HTTP status.', 100),
    code: text('For machines.'),
    detail: text('For people.'),
    hint: Type.Optional(text('What to do.')),
  },
  'A problem (RFC 9457).',
)
