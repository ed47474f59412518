/** Files and rows that need not be read are left out; what comes out never shows it. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DATASET_PARAMETERS, datasetRequest } from '#services/query/dataset-parameters.ts'
import { parseParameters } from '#services/query/parameters.ts'
import type { DatasetRequest } from '#services/datasets/request.ts'
import { canHold } from '#services/datasets/pruning.ts'
import { countsFrom } from '#services/datasets/manifest.ts'
import { smallLake, trajectory, type LakeRows, type SmallLake } from './small-lake.ts'
import { written } from './written.ts'

const requestOf = (recipe: string, query: string): DatasetRequest =>
  datasetRequest(`${recipe}.jsonl`, parseParameters(DATASET_PARAMETERS, new URLSearchParams(query)), 'log-1')

const RUNS = ['r1', 'r2', "r'3"]

interface Rollout {
  readonly run: string
  readonly item: number
  readonly group: boolean
  readonly version: number
  readonly step: number | null
  readonly status: string
  readonly reward: number | null
  readonly steps: number
  readonly finished: boolean
  readonly conflict: boolean
  /** The file that each of its parts lies in. */
  readonly at: readonly [events: number, steps: number, finish: number, score: number, conflict: number]
}

const FILES = 3
const file = fc.nat(FILES - 1)

const rollout: fc.Arbitrary<Rollout> = fc.record({
  run: fc.constantFrom(...RUNS),
  item: fc.nat(2),
  group: fc.boolean(),
  version: fc.nat(3),
  step: fc.option(fc.nat(3)),
  status: fc.constantFrom('completed', 'truncated', 'aborted'),
  reward: fc.option(fc.constantFrom(0, 0.5, 1)),
  steps: fc.integer({ min: 1, max: 2 }),
  finished: fc.constantFrom(true, true, true, false),
  conflict: fc.constantFrom(false, false, false, true),
  at: fc.tuple(file, file, file, file, file),
})

const some = (name: string, values: readonly (string | number)[]): fc.Arbitrary<string> =>
  fc
    .uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 2 })
    .map((picked) => picked.map((value) => `${name}=${encodeURIComponent(value)}`).join('&'))

const one = (pairs: Readonly<Record<string, readonly (string | number)[]>>): fc.Arbitrary<string> =>
  fc.constantFrom(...Object.entries(pairs).flatMap(([name, values]) => values.map((value) => `${name}=${value}`)))

const numbers = (name: string): fc.Arbitrary<string> =>
  fc.oneof(
    some(name, [0, 1, 2, 3]),
    one(Object.fromEntries(['_gte', '_lte', '_gt', '_lt', '_ne'].map((sign) => [name + sign, [0, 1, 2, 3]]))),
  )

/** At most one of each kind, so that every query is one that can be asked. */
const filters = fc
  .tuple(
    fc.option(
      fc.oneof(
        some('run', [...RUNS, 'none']),
        some('run', [...RUNS, 'none']).map((runs) => `${runs}&lineage=true`),
      ),
      { freq: 4 },
    ),
    some('item', ['i0', 'i1', 'i9']),
    some('group', ['g0', 'g1']),
    some('family', ['f0', 'f1']),
    numbers('policy_version'),
    numbers('train_step'),
    some('status', ['completed', 'truncated']),
    one({ reward_gte: [0.5, 1], reward_ne: [0] }),
    one({ include: ['unfinished', 'conflicted', 'gap'] }),
    one({ since: ['0:4'] }),
    one({ leaks: ['count', 'drop'] }),
    one({ per_item: [1], balance: ['family'], dedupe: ['content'], limit: [2], shard: ['1/2'] }),
  )
  .chain(([runs, ...rest]) =>
    fc.subarray(rest, { maxLength: 4 }).map((kept) => [runs, ...kept].filter((text) => text !== null).join('&')),
  )

const recipe = fc.constantFrom('trajectories', 'sft', 'steps', 'grpo', 'preference', 'items')

const idOf = (index: number): string => `t${index}`

/** What file `at` of each table holds. */
function rowsOf(rollouts: readonly Rollout[], at: number): LakeRows {
  const known = rollouts.map((one, index) => ({ one, id: idOf(index), offset: index * 10 }))
  const event = (id: string, offset: number, fields: Readonly<Record<string, unknown>>) => ({
    partition: 0,
    offset,
    trajectory_id: id,
    headers: '{}',
    verdict: 'accepted',
    ...fields,
  })
  return {
    runs:
      at === 0
        ? RUNS.map((run, n) => ({
            run_id: run,
            partition: 0,
            first_offset: n,
            kind: n === 2 ? 'eval' : 'rl',
            parent_run_id: RUNS[n - 1],
            resumed_at_train_step: 2,
          }))
        : [],
    items: at === 0 ? [0, 1].map((n) => ({ item_id: `i${n}`, family: `f${n}`, question: `q${n}` })) : [],
    events: known.flatMap(({ one, id, offset }) => [
      ...(one.at[0] === at
        ? [
            event(id, offset, {
              type: 'trajectory.started',
              run_id: one.run,
              raw: JSON.stringify({
                data: { item_id: `i${one.item}`, policy_version: one.version, train_step: one.step },
              }),
            }),
          ]
        : []),
      // It may name another run, which is why it is a conflict.
      ...(one.conflict && one.at[4] === at
        ? [event(id, offset + 5, { type: 'step.recorded', verdict: 'conflict', run_id: RUNS[one.version % 3] })]
        : []),
    ]),
    steps: known.flatMap(({ one, id }) =>
      one.at[1] === at
        ? Array.from({ length: one.steps }, (_, n) => ({
            run_id: one.run,
            trajectory_id: id,
            step_index: n,
            // All, none or some of a file's steps were written by their pieces.
            ...(one.version === 0 || (one.version === 1 && n > 0)
              ? { answer_text: `${one.version}/${n}` }
              : { raw_output: `${one.version}/${n}` }),
          }))
        : [],
    ),
    trajectories: known.flatMap(({ one, id, offset }) =>
      one.finished && one.at[2] === at
        ? [
            trajectory({
              trajectory_id: id,
              run_id: one.run,
              item_id: `i${one.item}`,
              ...(one.group ? { group_id: `g${one.item}`, group_size: 2 } : {}),
              policy_version: one.version,
              train_step: one.step,
              status: one.status,
              n_steps: one.steps,
              n_conflicts: one.conflict ? 1 : 0,
              partition: 0,
              first_offset: offset,
              finished_offset: offset + 3,
            }),
          ]
        : [],
    ),
    scores: known.flatMap(({ one, id, offset }) =>
      one.reward !== null && one.at[3] === at
        ? [{ trajectory_id: id, partition: 0, offset: offset + 3, reward: one.reward }]
        : [],
    ),
  }
}

async function built(lake: SmallLake, request: DatasetRequest) {
  const pinned = await lake.datasets.pin(request, { snapshotId: FILES, after: new Map(), waitMs: 0 })
  const counts = await lake.datasets.counts(pinned, new AbortController().signal)
  const result = await lake.datasets.ready(pinned, 30_000)
  if (!('manifest' in result)) throw new Error('not built in time')
  const text = Buffer.from((await lake.blobs.get(result.manifest.object)) ?? []).toString()
  return { text, counts, manifest: result.manifest }
}

describe('leaving out files', () => {
  it('changes neither rows nor counts, whatever is asked and whatever the catalog says', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(rollout, { minLength: 1, maxLength: 14 }),
        fc.array(fc.tuple(recipe, filters), { minLength: 5, maxLength: 5 }),
        fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }),
        async (rollouts, asked, said) => {
          let at = 0
          const lake = await smallLake({}, () => said[at++ % said.length] ?? true)
          try {
            for (let index = 0; index < FILES; index++) await lake.add(rowsOf(rollouts, index))
            for (const [name, query] of asked) {
              const request = requestOf(name, query)
              const { text, counts, manifest } = await built(lake, request)
              const whole = await written(lake, request)
              expect([name, query, text]).toEqual([name, query, (await whole.bytes()).toString()])
              expect([name, query, counts]).toEqual([name, query, countsFrom(whole.counts)])
              expect([name, query, manifest.counts]).toEqual([
                name,
                query,
                countsFrom(whole.counts, Object.entries(whole.notTaken)),
              ])
            }
          } finally {
            await lake.close()
          }
        },
      ),
      { numRuns: 8 },
    )
  }, 240_000)

  it('reads the files of the runs that are asked for, and of those that they resumed', async () => {
    const lake = await smallLake()
    try {
      const base = { item: 0, group: false, version: 0, status: 'completed', reward: 1, steps: 1, conflict: false }
      const of = (run: string, at: number): Rollout => ({
        ...base,
        run,
        step: 1,
        finished: true,
        at: [at, at, at, at, at],
      })
      const rollouts = RUNS.map((run, at) => of(run, at))
      for (let index = 0; index < FILES; index++) await lake.add(rowsOf(rollouts, index))
      const read = async (query: string): Promise<Record<string, number>> => {
        const { lineage } = (await built(lake, requestOf('sft', query))).manifest
        const tables = lineage.lake_files.map((path) => path.split('/')[1] ?? '')
        return Object.fromEntries(
          ['trajectories', 'events', 'steps', 'scores'].map((table) => [
            table,
            tables.filter((name) => name === table).length,
          ]),
        )
      }
      expect(await read('')).toEqual({ trajectories: 3, events: 3, steps: 3, scores: 3 })
      expect(await read('run=r1')).toEqual({ trajectories: 1, events: 1, steps: 1, scores: 1 })
      expect(await read('run=r2&lineage=true')).toEqual({ trajectories: 2, events: 2, steps: 2, scores: 2 })
      expect(await read('run=none')).toEqual({ trajectories: 0, events: 0, steps: 0, scores: 0 })
      // Which trajectories have no finish is not known before all are.
      expect(await read('train_step_gt=1')).toEqual({ trajectories: 3, events: 3, steps: 0, scores: 0 })
    } finally {
      await lake.close()
    }
  })
})

describe('what the catalog says of a column', () => {
  const number = fc.integer({ min: -3, max: 3 })
  const condition = fc.record({
    any: fc.array(number, { maxLength: 2 }),
    ne: fc.array(number, { maxLength: 2 }),
    gte: fc.option(number, { nil: undefined }),
    lte: fc.option(number, { nil: undefined }),
    gt: fc.option(number, { nil: undefined }),
    lt: fc.option(number, { nil: undefined }),
  })

  it('excludes a file where none of its values fits, and no other of one value', () => {
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 3 }), condition, (values, asked) => {
        const { any, ne, gte, lte, gt, lt } = asked
        const fits = values.some(
          (value) =>
            (any.length === 0 || any.includes(value)) &&
            !ne.includes(value) &&
            !(gte !== undefined && value < gte) &&
            !(lte !== undefined && value > lte) &&
            !(gt !== undefined && value <= gt) &&
            !(lt !== undefined && value >= lt),
        )
        const stats = { x: { min: Math.min(...values), max: Math.max(...values), null_count: 0 } }
        const held = canHold({ path: '', rows: values.length, stats }, 'x', asked)
        if (fits) expect(held).toBe(true)
        if (new Set(values).size === 1) expect(held).toBe(fits)
      }),
    )
  })

  it('is compared by bytes where it is text', () => {
    const file = { path: '', rows: 1, stats: { x: { min: '\u{e000}', max: '\u{10000}' } } }
    expect(canHold(file, 'x', { any: ['\u{ffff}'], ne: [] })).toBe(true)
    expect(canHold(file, 'x', { any: ['z'], ne: [] })).toBe(false)
    expect(canHold({ ...file, stats: {} }, 'x', { any: ['z'], ne: [] })).toBe(true)
  })
})
