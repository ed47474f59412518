import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DATASET_PARAMETERS, datasetRequest } from '#services/query/dataset-parameters.ts'
import { parseParameters } from '#services/query/parameters.ts'
import { buildKey, canonicalQuery, type DatasetRequest } from '#services/datasets/request.ts'
import { sqlText, sqlValue } from '#services/datasets/sql.ts'
import { smallLake, trajectory, type LakeRows } from './small-lake.ts'

function requestOf(query: string): DatasetRequest {
  return datasetRequest('trajectories.jsonl', parseParameters(DATASET_PARAMETERS, new URLSearchParams(query)), 'log-1')
}

describe('values in SQL', () => {
  let duckdb: DuckDBInstance
  beforeAll(async () => {
    duckdb = await DuckDBInstance.create(':memory:')
  })
  afterAll(() => {
    duckdb.closeSync()
  })

  it('are read back as they were', async () => {
    const connection = await duckdb.connect()
    const nasty = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom("'", '\\', '"', ';', '-', '$', '\n', '%', '/', '*') }),
    )
    await fc.assert(
      fc.asyncProperty(
        nasty.filter((text) => !text.includes('\0')),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.maxSafeInteger(),
        async (text, real, integer) => {
          const [row] = (
            await connection.runAndReadAll(
              `SELECT ${sqlText(text)}, ${sqlValue(real)}::DOUBLE, ${sqlValue(integer)}::BIGINT`,
            )
          ).getRows()
          expect(row?.[0]).toBe(text)
          expect(Number(row?.[1])).toBe(real === 0 ? 0 : real)
          expect(row?.[2]).toBe(BigInt(integer))
        },
      ),
      { numRuns: 300 },
    )
    connection.closeSync()
  })

  it('refuse what would end a query', () => {
    expect(() => sqlText('a\0b')).toThrow('NUL')
  })
})

const parameter = fc.oneof(
  fc.tuple(
    fc.constantFrom('run', 'item', 'group', 'family'),
    fc.string({
      minLength: 1,
      maxLength: 8,
      unit: fc.constantFrom('a', 'b', ' ', '+', '&', '=', '%', "'", '*', '(', 'ü', ','),
    }),
  ),
  fc.tuple(fc.constantFrom('policy_version', 'policy_version_ne', 'train_step'), fc.nat(5).map(String)),
  fc.tuple(fc.constantFrom('reward', 'reward_ne'), fc.constantFrom('0', '1', '0.5', '1e3', '-2')),
  fc.tuple(fc.constant('status'), fc.constantFrom('completed', 'truncated')),
  fc.tuple(fc.constant('include'), fc.constantFrom('gap', 'conflicted')),
)

describe('equal requests', () => {
  it('have one key, in whatever order and however often they say a thing', () => {
    fc.assert(
      fc.property(fc.array(parameter, { maxLength: 8 }), fc.infiniteStream(fc.nat()), (pairs, chance) => {
        const shuffled = [...pairs, ...pairs.slice(0, 2)]
          .map((pair) => ({ pair, at: chance.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ pair }) => pair)
        const [left, right] = [pairs, shuffled].map((list) => requestOf(new URLSearchParams(list).toString()))
        if (left === undefined || right === undefined) throw new Error('two requests')
        expect(buildKey({ request: left, snapshotId: 3 })).toBe(buildKey({ request: right, snapshotId: 3 }))
      }),
    )
  })

  it('can be read from their canonical query again', () => {
    fc.assert(
      fc.property(fc.array(parameter, { maxLength: 8 }), (pairs) => {
        const query = canonicalQuery(requestOf(new URLSearchParams(pairs).toString()))
        expect(query).toMatch(/^[A-Za-z0-9\-_.~=&%]*$/)
        expect(canonicalQuery(requestOf(query))).toBe(query)
      }),
    )
  })

  it('write numbers in one way', () => {
    expect(canonicalQuery(requestOf('reward_gte=1.0&policy_version=007'))).toBe('policy_version=7&reward_gte=1')
    expect(canonicalQuery(requestOf('reward=1e0&reward=1&reward=-0'))).toBe('reward=0&reward=1')
  })
})

interface Rollout {
  readonly run: string
  readonly version: number
  readonly step: number | null
  readonly status: string
  readonly reward: number | null
  readonly correct: boolean | null
  readonly conflicts: number
  readonly missing: boolean
  readonly at: number
}

const rollout: fc.Arbitrary<Rollout> = fc.record({
  run: fc.constantFrom('r1', 'r2', "r'3"),
  version: fc.nat(3),
  step: fc.option(fc.nat(3)),
  status: fc.constantFrom('completed', 'truncated', 'aborted'),
  reward: fc.option(fc.constantFrom(0, 0.5, 0.9999999, 1, 2, NaN, Infinity)),
  correct: fc.option(fc.boolean()),
  conflicts: fc.constantFrom(0, 0, 0, 1),
  missing: fc.constantFrom(false, false, false, true),
  at: fc.nat(3),
})

const condition = fc.record(
  {
    run: fc.uniqueArray(fc.constantFrom('r1', 'r2', "r'3", 'r4'), { minLength: 1 }),
    policy_version: fc.uniqueArray(fc.nat(3), { minLength: 1, maxLength: 2 }),
    policy_version_gt: fc.nat(3),
    train_step_ne: fc.nat(3),
    status: fc.uniqueArray(fc.constantFrom('completed', 'truncated'), { minLength: 1 }),
    reward_gte: fc.constantFrom(0, 0.5, 1),
    reward_lt: fc.constantFrom(0.5, 1, 3),
    reward_ne: fc.constantFrom(0, 1),
    correct: fc.boolean(),
    include: fc.uniqueArray(fc.constantFrom('gap', 'conflicted'), { minLength: 1 }),
  },
  { requiredKeys: [] },
)

type Asked = typeof condition extends fc.Arbitrary<infer Value> ? Value : never

/** What the words of the reference say, one trajectory at a time. */
function belongs(one: Rollout, asked: Asked): boolean {
  const { reward } = one
  const correct = reward === null ? null : (one.correct ?? reward >= 1 - 1e-6)
  const number = (value: number | null, test: (value: number) => boolean) =>
    value !== null && !Number.isNaN(value) && test(value)
  return (
    (asked.run === undefined || (asked.run as string[]).includes(one.run)) &&
    (asked.policy_version === undefined || asked.policy_version.includes(one.version)) &&
    (asked.policy_version_gt === undefined || one.version > asked.policy_version_gt) &&
    (asked.train_step_ne === undefined || number(one.step, (value) => value !== asked.train_step_ne)) &&
    (asked.status === undefined || (asked.status as string[]).includes(one.status)) &&
    (asked.reward_gte === undefined || number(reward, (value) => value >= (asked.reward_gte ?? 0))) &&
    (asked.reward_lt === undefined || number(reward, (value) => value < (asked.reward_lt ?? 0))) &&
    (asked.reward_ne === undefined || number(reward, (value) => value !== asked.reward_ne)) &&
    (asked.correct === undefined || correct === asked.correct) &&
    (!one.missing || asked.include?.includes('gap') === true) &&
    (one.conflicts === 0 || asked.include?.includes('conflicted') === true)
  )
}

const idOf = (index: number) => `t${String(index).padStart(3, '0')}`

/** The rows of the rollouts that fall into file `at`. */
function rowsOf(rollouts: readonly Rollout[], at: number): LakeRows {
  const mine = rollouts.map((one, index) => ({ one, id: idOf(index) })).filter(({ one }) => one.at === at)
  return {
    trajectories: mine.map(({ one, id }) =>
      trajectory({
        trajectory_id: id,
        run_id: one.run,
        policy_version: one.version,
        train_step: one.step,
        status: one.status,
        n_conflicts: one.conflicts,
        ...(one.missing ? { n_steps: 2, n_steps_seen: 1 } : {}),
      }),
    ),
    scores: mine.flatMap(({ one, id }) =>
      one.reward === null
        ? []
        : [
            {
              trajectory_id: id,
              offset: 1,
              answer_match: one.correct,
              reward: Number.isFinite(one.reward) ? one.reward : String(one.reward),
            },
          ],
    ),
  }
}

describe('a dataset by URL', () => {
  it('is what a plain filter over the trajectories gives, however they lie in files', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(rollout, { maxLength: 40 }),
        fc.array(condition, { minLength: 1, maxLength: 4 }),
        async (rollouts, conditions) => {
          const lake = await smallLake()
          try {
            for (const at of [0, 1, 2, 3]) await lake.add(rowsOf(rollouts, at))
            for (const asked of conditions) {
              const query = new URLSearchParams(
                Object.entries(asked).flatMap(([name, value]) =>
                  (Array.isArray(value) ? value : [value]).map((one): [string, string] => [name, String(one)]),
                ),
              )
              const pinned = await lake.datasets.pin(requestOf(query.toString()), {
                snapshotId: 4,
                after: new Map(),
                waitMs: 0,
              })
              const result = await lake.datasets.ready(pinned, 20_000)
              if (!('manifest' in result)) throw new Error('not built in time')
              const text = Buffer.from((await lake.blobs.get(result.manifest.object)) ?? []).toString()
              const ids = text
                .split('\n')
                .slice(0, -1)
                .map((line) => String((JSON.parse(line) as Record<string, unknown>)['trajectory_id']))
              const expected = rollouts
                .map((one, index) => ({ one, id: idOf(index) }))
                .filter(({ one }) => belongs(one, asked))
              expected.sort((left, right) =>
                left.one.run < right.one.run ? -1 : left.one.run > right.one.run ? 1 : left.id < right.id ? -1 : 1,
              )
              expect([query.toString(), ids]).toEqual([query.toString(), expected.map(({ id }) => id)])
              const { counts } = result.manifest
              const out = [...Object.values(counts.filtered), ...Object.values(counts.left_out)].reduce(
                (sum, n) => sum + n,
                0,
              )
              expect([counts.trajectories, counts.rows + out]).toEqual([rollouts.length, rollouts.length])
            }
          } finally {
            await lake.close()
          }
        },
      ),
      { numRuns: 25 },
    )
  })
})
