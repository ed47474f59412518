/** POST /v1/verify/numbers: statistics of what is folded, compared with a recomputation from the lake's raw events and steps. */
import { flag, integer, json, list, object, text } from '#schemas/fields.ts'
import { chainOf } from '#services/analytics/chain.ts'
import { FRAME_TABLES, frameBySql } from '#services/analytics/lake-rows.ts'
import { rawSql } from '#services/analytics/raw-rows.ts'
import { sameNumbers } from '#services/analytics/same-numbers.ts'
import { storedRun } from '#services/analytics/store-rows.ts'
import { callNumbers, rawCalls } from '#services/diagnostics/raw-calls.ts'
import { Problem } from '#services/problem.ts'
import { liveCalls } from '#services/query/calls-call.ts'
import { framesOfStore, pathsAt } from '#services/query/frame-call.ts'
import { many, text as textParameter } from '#services/query/parameters.ts'
import { behind, jsonAnswer, reached } from '#services/query/reading.ts'
import { READ_PARAMETERS, type Route, route } from '#services/query/route.ts'

/** Runs of one comparison at most. */
const RUNS_MAX = 1000

const Verified = object(
  {
    ok: flag('Whether all numbers are the same, to the last bit.'),
    snapshot: integer('The snapshot whose raw events were read.'),
    runs: list(
      object(
        {
          run_id: text('The run.'),
          trajectories: integer('Trajectories compared: those that no event changed since the snapshot.'),
          rows: integer('Rows of statistics compared.'),
        },
        'A run.',
      ),
      'What was compared.',
    ),
    differences: list(json('Run, statistic, place, what was expected and what was found.'), 'The first of each run.'),
  },
  'What was found.',
)

const verifyNumbers = route({
  method: 'POST',
  path: '/v1/verify/numbers',
  tag: 'Operations',
  summary: "Compare statistics with a recomputation from the lake's raw events",
  detail:
    'For each run, or those that are named: rewards, groups, advantages, pass@k, lengths, trainings, counterfactual rewards, benchmarks, tools and errors of the folded rows, and of rows made anew from raw events and steps, must be equal to the last bit. Trajectories that events changed since the snapshot are left out of both.',
  parameters: { ...READ_PARAMETERS, run: many(textParameter('The run. Repeat for several; without it, all.')) },
  answers: [{ status: 200, description: 'What was found; `ok` says whether they agree.', schema: Verified }],
  problems: ['behind', 'too_large'],
  handle: async (call) => {
    const { deps, query } = call
    const { engine } = deps
    if (engine === undefined) throw new Problem('unavailable', 'this process does not read the lake')
    const want = await reached({ ...call, query: { ...query, after: [...query.after, 'latest'] } })
    const snapshot = await deps.archive.reach(want, query.wait * 1000, call.request.signal)
    if (snapshot === undefined) throw behind('no snapshot of the lake includes the end of the log yet')
    const paths = await pathsAt(deps, snapshot.snapshot_id, [...FRAME_TABLES, 'steps'])
    const named = query.run.length > 0 ? query.run : await allRuns(deps.store.db)
    const compared: { run_id: string; trajectories: number; rows: number }[] = []
    const differences: unknown[] = []
    for (const runId of named) {
      const runs = await chainOf((id) => storedRun(deps.store.db, id), [runId], false)
      const expected = await frameBySql(engine, rawSql([runId], paths), runs)
      const expectedCalls = await rawCalls(engine, paths, [runId])
      const at = await framesOfStore(deps.store).read([runId], false)
      const { frame } = at
      const calls = await liveCalls(deps, at)
      const isSettled = (id: string): boolean => {
        const row = frame.rowOf(id)
        if (row === undefined) return true
        const cut = snapshot.cut.get(frame.partition.get(row) ?? 0) ?? 0
        return (frame.lastOffset.get(row) ?? 0) < cut
      }
      const found = sameNumbers(expected, frame, isSettled, {
        expected: (selection) => callNumbers(selection, expectedCalls),
        found: (selection) => callNumbers(selection, calls),
      })
      compared.push({ run_id: runId, trajectories: found.trajectories, rows: found.rows })
      differences.push(...found.differences.map((difference) => ({ run_id: runId, ...difference })))
    }
    const answer = { ok: differences.length === 0, snapshot: snapshot.snapshot_id, runs: compared, differences }
    return jsonAnswer(deps, answer, snapshot.cut)
  },
})

async function allRuns(db: Parameters<typeof storedRun>[0]): Promise<string[]> {
  const rows = await db
    .selectFrom('run_totals')
    .select('run_id')
    .distinct()
    .orderBy('run_id')
    .limit(RUNS_MAX + 1)
    .execute()
  if (rows.length > RUNS_MAX)
    throw new Problem('too_large', `there are more than ${RUNS_MAX} runs`, { hint: 'name some: run=…' })
  return rows.map(({ run_id: runId }) => runId)
}

export const NUMBER_ROUTES: readonly Route[] = [verifyNumbers]
