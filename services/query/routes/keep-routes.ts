/** /v1/snapshots/{snapshot_id}/keep: snapshots that do not expire. */
import { KeptSnapshot } from '#schemas/http-recipes.ts'
import { keepSnapshot, releaseSnapshot } from '#services/lake/kept.ts'
import { snapshotById } from '#services/lake/catalog.ts'
import { parseOffsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { jsonAnswer } from '#services/query/reading.ts'
import { route, type Call, type Route } from '#services/query/route.ts'

const tag = 'Lake'
const pathParameters = { snapshot_id: 'The snapshot.' }

async function snapshotOf({ store }: QueryDeps, given: string) {
  const id = Number(given)
  const snapshot = Number.isSafeInteger(id) && id > 0 ? await snapshotById(store.db, id) : undefined
  if (snapshot !== undefined) return snapshot
  throw new Problem('not_found', `there is no snapshot ${given.slice(0, 40)}; it may have expired`, {
    hint: 'list them: /v1/snapshots',
  })
}

async function answerKeep({ deps, path }: Call<Record<string, never>>): Promise<Response> {
  const { snapshot_id: id } = await snapshotOf(deps, path('snapshot_id'))
  await keepSnapshot(deps.blobs, id)
  // It may have expired before the mark was there.
  const { cut } = await snapshotOf(deps, String(id))
  return jsonAnswer(deps, { snapshot_id: id, keep: true }, parseOffsets(cut))
}

async function answerRelease({ deps, path }: Call<Record<string, never>>): Promise<Response> {
  const { snapshot_id: id, cut } = await snapshotOf(deps, path('snapshot_id'))
  await releaseSnapshot(deps.blobs, id)
  return jsonAnswer(deps, { snapshot_id: id, keep: false }, parseOffsets(cut))
}

const answers = [{ status: 200, description: 'What holds now.', schema: KeptSnapshot }]

export const KEEP_ROUTES: readonly Route[] = [
  route({
    method: 'PUT',
    path: '/v1/snapshots/{snapshot_id}/keep',
    tag,
    summary: 'Keep a snapshot beyond its time',
    detail:
      'A snapshot expires after SNAPSHOT_DAYS days, and a dataset URL of it that was never built is 410 from then on. One that is kept does not; neither do those after it.',
    pathParameters,
    parameters: {},
    problems: ['not_found'],
    answers,
    handle: answerKeep,
  }),
  route({
    method: 'DELETE',
    path: '/v1/snapshots/{snapshot_id}/keep',
    tag,
    summary: 'Let a snapshot expire again',
    pathParameters,
    parameters: {},
    problems: ['not_found'],
    answers,
    handle: answerRelease,
  }),
]
