/** POST /v1/verify: log, store and lake compared with each other. */
import Type from 'typebox'
import { flag, json, list, object, text } from '#schemas/fields.ts'
import { jsonText } from '#services/json-text.ts'
import { asProblem, Problem, problemBody } from '#services/problem.ts'
import type { VerifyReport } from '#services/verify/report.ts'
import { route, type Route } from '#services/query/route.ts'

/** A comparison that takes longer is answered in pieces, so that nobody on the way takes the silence for a failure. */
const QUIET_MS_MAX = 15_000
const HEARTBEAT_MS = 5_000

const count = (description: string) => Type.Integer({ description, minimum: 0 })

const Verified = object(
  {
    ok: flag('Whether they agree.'),
    position: text('Everything below this position was compared.'),
    counts: object(
      {
        events: count('Facts.'),
        trajectories: count('Rollouts.'),
        steps: count('Steps.'),
        tool_calls: count('Tool calls.'),
      },
      'Accepted, unique facts.',
    ),
    differences: list(json('Where, what, expected and found.'), 'The first differences.'),
    n_differences: count('All differences.'),
    notes: list(text('A note.'), 'What could not be compared, and why.'),
  },
  'What was found.',
)

/** The route. One comparison runs at a time. */
function verifyRoute(): Route {
  let running: Promise<VerifyReport> | undefined
  return route({
    method: 'POST',
    path: '/v1/verify',
    tag: 'Operations',
    summary: 'Compare log, store and lake',
    detail:
      'At the end of the log as it is now. What takes long is preceded by line breaks, and where it fails after 15 s the answer is `{"ok": false, "problem": …}`.',
    parameters: {},
    answers: [{ status: 200, description: 'What was found; `ok` says whether they agree.', schema: Verified }],
    problems: ['too_many', 'behind'],
    handle: async ({ deps }) => {
      const { verify } = deps
      if (verify === undefined) throw new Problem('unavailable', 'this server cannot verify')
      if (running !== undefined)
        throw new Problem('too_many', 'a comparison is under way', {
          hint: 'wait for it, then ask again',
          retryAfterSeconds: 10,
        })
      const work = verify().finally(() => {
        running = undefined
      })
      running = work
      const quiet = await Promise.race([work, after(QUIET_MS_MAX)])
      const headers = { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store' }
      return quiet === undefined
        ? new Response(heartbeatUntil(work), { headers })
        : new Response(jsonText(quiet), { headers })
    },
  })
}

const after = (ms: number): Promise<undefined> =>
  new Promise((resolve) => {
    setTimeout(() => resolve(undefined), ms).unref()
  })

/** Line breaks, which JSON allows in front, until the work is done; then its result. */
function heartbeatUntil(work: Promise<VerifyReport>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let timer: NodeJS.Timeout | undefined
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      timer = setInterval(() => controller.enqueue(encoder.encode('\n')), HEARTBEAT_MS)
      const finish = (result: unknown): void => {
        clearInterval(timer)
        controller.enqueue(encoder.encode(jsonText(result)))
        controller.close()
      }
      work
        .then(finish, (error: unknown) => finish({ ok: false, problem: problemBody(asProblem(error)) }))
        .catch(() => clearInterval(timer))
    },
    cancel: () => clearInterval(timer),
  })
}

/** The routes; each call makes its own, since one of them remembers what runs. */
export const verifyRoutes = (): readonly Route[] => [verifyRoute()]
