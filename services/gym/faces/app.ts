/** All HTTP faces of a gym as one app. No socket here. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { Hono } from 'hono'
import { nearest } from '#services/core/nearest.ts'
import { jsonText } from '#services/json-text.ts'
import type { ItemKind } from '#services/gym/items/item.ts'
import type { Gym } from '#services/gym/loop/gym.ts'
import { errorText, type Logger } from '#services/logger.ts'
import { asProblem, Problem, problemBody } from '#services/problem.ts'
import { batchFace } from './batch.ts'
import { boundedBodies, jsonOf } from './bodies.ts'
import { gymOpenApi } from './gym-openapi.ts'
import { rpcAnswerTo } from './mcp.ts'
import { METADATA, openEnvSchemas, statelessReset, statelessStep } from './openenv.ts'
import { NO_EPISODE } from './openenv-session.ts'
import { routerFace } from './router.ts'
import { metricsJson, metricsText } from './gym-metrics.ts'
import { toolList } from './tool-list.ts'

export interface FacesOptions {
  readonly gym: Gym
  /** What can be asked of it. */
  readonly kinds: readonly ItemKind[]
  /** What every request must bear, where set. */
  readonly key: string | undefined
  /** How long an episode may be idle, for those who ask. */
  readonly idleMs: number
  /** How many sockets there are. */
  readonly sessions: () => number
  /** Why nothing can be played now, or not for long; empty where all is well. */
  readonly troubles: () => readonly string[]
  /** Milliseconds. */
  readonly clock: () => number
  readonly logger: Logger
}

/** The largest body: a batch of 1,000 turns of 32 KB, or one turn with all that a model can write. */
export const BODY_BYTES_MAX = 32 * 1024 * 1024
const UNPROCESSABLE = 422
const IN_FLIGHT_BYTES_MAX = 128 * 1024 * 1024

/** The app of all faces. */
export function facesApp(options: FacesOptions): Hono {
  const { gym, logger } = options
  const app = new Hono()
  const bodies = boundedBodies({ bytesMax: BODY_BYTES_MAX, inFlightMax: IN_FLIGHT_BYTES_MAX })
  const counts = { requests: 0, active: 0 }
  app.use(async (call, next) => {
    checkKey(options.key, call.req.raw)
    checkQuery(new URL(call.req.url).searchParams)
    counts.requests += 1
    counts.active += 1
    try {
      await next()
    } finally {
      counts.active -= 1
    }
  })
  addOpenEnv(app, options, bodies)
  addBatch(app, options, bodies)
  const router = routerFace(gym, options.clock)
  const started = options.clock()
  app.post('/get_observation', async (call) =>
    bodies.read(call.req.raw, async (bytes) => asJson(await router.observe(bytes, jsonOf(bytes)))),
  )
  app.get('/metrics', (call) => {
    const state = {
      ...gym.counts(),
      active_requests: counts.active,
      requests: counts.requests,
      cached_responses: router.cached,
      sessions: options.sessions(),
      uptime_s: Math.round((options.clock() - started) / 1000),
    }
    const wantsText = /text\/plain|openmetrics/.test(call.req.header('accept') ?? '')
    return wantsText
      ? new Response(metricsText(state), { headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' } })
      : asJson(jsonText(metricsJson(state)))
  })
  app.get('/healthz', () => asJson(jsonText({ status: 'ok' })))
  app.get('/readyz', () => {
    const reasons = options.troubles()
    const text = jsonText({ ready: reasons.length === 0, reasons })
    return reasons.length === 0 ? asJson(text) : new Response(text, { status: 503, headers: JSON_TYPE })
  })
  app.get('/openapi.json', (call) => asJson(jsonText(gymOpenApi(new URL(call.req.url).origin))))
  refuseOthers(app)
  app.onError((error) => {
    const problem = asProblem(error)
    if (problem.code === 'internal') logger('error', 'request failed', { error: errorText(error) })
    return problemReply(problem)
  })
  return app
}

type Reader = ReturnType<typeof boundedBodies>

function addOpenEnv(app: Hono, { gym, troubles }: FacesOptions, bodies: Reader): void {
  const schemas = jsonText(openEnvSchemas())
  app.get('/health', () => asJson(jsonText({ status: troubles().length === 0 ? 'healthy' : 'degraded' })))
  app.get('/metadata', () => asJson(jsonText(METADATA)))
  app.get('/schema', () => asJson(schemas))
  app.get('/state', () => asJson(jsonText(NO_EPISODE)))
  for (const [path, answered] of [
    ['/reset', statelessReset],
    ['/step', statelessStep],
  ] as const)
    app.post(path, (call) =>
      validated(() => bodies.read(call.req.raw, async (bytes) => asJson(jsonText(await answered(gym, jsonOf(bytes)))))),
    )
  app.post('/mcp', (call) =>
    bodies.read(call.req.raw, async (bytes) => asJson(jsonText(rpcAnswerTo(gym, bytes.toString('utf8'))))),
  )
  app.get('/mcp', () => {
    throw new Problem('invalid', 'GET /mcp is for WebSockets', { hint: 'POST JSON-RPC to /mcp' })
  })
  app.get('/ws', () => {
    throw new Problem('invalid', '/ws is for WebSockets', {
      hint: 'connect with a WebSocket client, such as openenv-core',
    })
  })
}

/** What does not fit is 422 there, as in OpenEnv's own server. */
async function validated(answer: () => Promise<Response>): Promise<Response> {
  try {
    return await answer()
  } catch (error) {
    const problem = asProblem(error)
    if (problem.code !== 'invalid') throw error
    return problemReply(problem, UNPROCESSABLE)
  }
}

function addBatch(app: Hono, { gym, kinds, idleMs }: FacesOptions, bodies: Reader): void {
  const batch = batchFace(gym, 2 * gym.counts().episodes_max)
  app.get('/v1/gym', () => {
    const { episodes_open, episodes_max } = gym.counts()
    return asJson(
      jsonText({
        families: [...new Set(kinds.map(({ family }) => family))],
        kinds: kinds.map(({ kind, family, dataset, levels }) => ({ kind, family, dataset, levels })),
        tools: gym.tools,
        episodes_open,
        episodes_max,
        idle_s: idleMs / 1000,
      }),
    )
  })
  app.get('/v1/gym/tools', () => asJson(jsonText(toolList(gym))))
  app.post('/v1/gym/episodes', (call) =>
    bodies.read(call.req.raw, async (bytes) => asJson(jsonText(await batch.begin(jsonOf(bytes))))),
  )
  app.post('/v1/gym/steps', (call) =>
    bodies.read(call.req.raw, async (bytes) => asJson(jsonText(await batch.step(jsonOf(bytes))))),
  )
  app.get('/v1/gym/episodes/:id', (call) => asJson(jsonText(gym.state(call.req.param('id')))))
  app.delete('/v1/gym/episodes/:id', async (call) => {
    await batch.end(call.req.param('id'))
    return new Response(null, { status: 204 })
  })
  app.get('/v1/gym/images/:sha256', (call) => {
    const picture = gym.image(call.req.param('sha256'))
    if (picture === undefined) {
      throw new Problem('not_found', 'no open episode has this picture', {
        hint: 'pictures of a run are at /v1/images/{sha256} of the server that it is published to',
      })
    }
    return new Response(Buffer.from(picture.bytes), {
      headers: { 'content-type': 'image/png', 'cache-control': 'max-age=31536000, immutable' },
    })
  })
}

const PATHS: Readonly<Record<string, string>> = {
  '/health': 'GET',
  '/metadata': 'GET',
  '/schema': 'GET',
  '/state': 'GET',
  '/reset': 'POST',
  '/step': 'POST',
  '/mcp': 'GET, POST',
  '/ws': 'GET',
  '/get_observation': 'POST',
  '/metrics': 'GET',
  '/healthz': 'GET',
  '/readyz': 'GET',
  '/openapi.json': 'GET',
  '/v1/gym': 'GET',
  '/v1/gym/tools': 'GET',
  '/v1/gym/episodes': 'POST',
  '/v1/gym/steps': 'POST',
  '/v1/gym/episodes/:id': 'GET, DELETE',
  '/v1/gym/images/:sha256': 'GET',
}

function refuseOthers(app: Hono): void {
  for (const [path, allow] of Object.entries(PATHS)) {
    app.all(path, (call) => {
      const reply = problemReply(
        new Problem('method_not_allowed', `${call.req.method} is not for this route`, { hint: `use ${allow}` }),
      )
      reply.headers.set('allow', allow)
      return reply
    })
  }
  app.notFound((call) => {
    const near = nearest(call.req.path, Object.keys(PATHS))
    const problem = new Problem('not_found', `there is no route ${call.req.path.slice(0, 200)}`, {
      hint: near === undefined ? 'see /openapi.json' : `did you mean ${near}?`,
    })
    return problemReply(problem)
  })
}

const JSON_TYPE = { 'content-type': 'application/json' }

/** An answer of JSON text. */
const asJson = (text: string): Response => new Response(text, { headers: JSON_TYPE })

/** A problem as an answer, with the status of its code or another one. */
export function problemReply(problem: Problem, status: number = problem.status): Response {
  const { code, retryAfterSeconds } = problem
  return new Response(jsonText({ ...problemBody(problem), status }), {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
      ...(code === 'unauthorized' ? { 'www-authenticate': 'Bearer' } : {}),
    },
  })
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Throws `unauthorized` where a key is set and the request does not bear it: as a bearer, a password, or a token. */
export function checkKey(key: string | undefined, request: { readonly url: string; readonly headers: Headers }): void {
  if (key === undefined) return
  const authorization = request.headers.get('authorization') ?? ''
  const bearer = /^Bearer (.+)$/i.exec(authorization)?.[1]
  // Clients of WebSockets can often name a user and a password in the URL, and send no other header.
  const basic = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(authorization)?.[1]
  const password =
    basic === undefined
      ? undefined
      : Buffer.from(basic, 'base64')
          .toString('utf8')
          .replace(/^[^:]*:/, '')
  const given = bearer ?? password ?? new URL(request.url).searchParams.get('token') ?? ''
  if (timingSafeEqual(digest(given), digest(key))) return
  throw new Problem('unauthorized', 'the key is missing or wrong', {
    hint: 'send Authorization: Bearer <key>, ?token=<key>, or http://gym:<key>@host where only URLs can be given',
  })
}

function checkQuery(query: URLSearchParams): void {
  for (const name of query.keys()) {
    if (name === 'token') continue
    throw new Problem('unknown_parameter', `there is no parameter ${name.slice(0, 60)}`, {
      hint: 'options go into the body',
    })
  }
}
