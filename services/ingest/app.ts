/** Ingest over HTTP: events and pictures in, acknowledged when they are durable. */
import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { routePath } from 'hono/route'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { Log } from '#services/log/log.ts'
import { errorText, type Logger } from '#services/logger.ts'
import { asProblem, Problem } from '#services/problem.ts'
import { type Budget, byteBudget } from './budget.ts'
import { eventsRoute } from './events.ts'
import { imageRoutes } from './images.ts'
import { jsonReply, keyCheck, parameters, problemReply } from './request.ts'
import { AnswerCounts, metrics, readiness } from './status.ts'

export interface IngestDeps {
  readonly log: Log
  readonly blobs: Blobs
  readonly logger: Logger
  /** The key that every request must bear, where there is one. */
  readonly key?: string
  /** How many bytes of bodies may be in memory at once before requests are answered 429. */
  readonly inFlightBytesMax?: number
  /** Whether the process runs nothing else: then /readyz and /metrics are answered here too. Default false. */
  readonly isAlone?: boolean
}

/** Enough for four of the largest bodies, or some hundred batches of 200 steps. */
const IN_FLIGHT_BYTES_MAX = 256 * 1024 * 1024

type IngestApp = Hono<{ Bindings: Partial<HttpBindings> }>

/** The routes of ingest: POST /v1/events, PUT /v1/images/{sha256}, POST /v1/images/missing, GET /healthz. */
export function ingestApp(deps: IngestDeps): IngestApp {
  const budget = byteBudget(deps.inFlightBytesMax ?? IN_FLIGHT_BYTES_MAX)
  const events = eventsRoute({ log: deps.log, budget, logger: deps.logger })
  const images = imageRoutes({ log: deps.log, blobs: deps.blobs, budget })
  const checkKey = keyCheck(deps.key)
  const app: IngestApp = new Hono()
  const answers = new AnswerCounts()
  app.use(async (call, next) => {
    checkKey(call)
    await next()
    answers.add(call.req.method, routePath(call, -1), call.res.status)
  })
  app.post('/v1/events', events)
  app.post('/v1/images/missing', images.missing)
  app.put('/v1/images/:sha256', images.put)
  app.get('/healthz', (call) => {
    parameters(call, [])
    return jsonReply({ status: 'ok' })
  })
  const allowed: Readonly<Record<string, string>> = {
    '/v1/events': 'POST',
    '/v1/images/missing': 'POST',
    '/v1/images/:sha256': 'PUT',
    '/healthz': 'GET',
  }
  if (deps.isAlone === true) addStatus(app, deps.log, budget, answers)
  for (const [path, allow] of Object.entries(allowed)) {
    app.all(path, (call) => {
      const reply = problemReply(
        new Problem('method_not_allowed', `${call.req.method} is not for this route`, { hint: `use ${allow}` }),
      )
      reply.headers.set('allow', allow)
      return reply
    })
  }
  app.notFound((call) =>
    problemReply(
      new Problem('not_found', `there is no route ${call.req.path.slice(0, 200)}`, {
        hint: deps.isAlone === true ? 'this process runs ingest alone: ask one that runs query' : 'see /docs',
      }),
    ),
  )
  app.onError((error) => {
    const problem = asProblem(error)
    if (problem.status >= 500) deps.logger('error', 'request failed', { code: problem.code, error: errorText(problem) })
    return problemReply(problem)
  })
  return app
}

function addStatus(app: IngestApp, log: Log, budget: Budget, answers: AnswerCounts): void {
  app.get('/readyz', () => readiness(log))
  app.get('/metrics', () => metrics(log, budget, answers))
}
