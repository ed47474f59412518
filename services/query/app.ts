/** query: everything that is read, as one Hono app. No socket here; the serving process gives it one. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { type Context, Hono } from 'hono'
import { nearest } from '#services/core/nearest.ts'
import type { Datasets } from '#services/datasets/datasets.ts'
import { jsonText } from '#services/json-text.ts'
import { errorText } from '#services/logger.ts'
import { Problem, asProblem, problemBody } from '#services/problem.ts'
import { datasetRoutes } from '#services/query/routes/dataset-routes.ts'
import type { QueryDeps } from './deps.ts'
import { docsPage } from '#services/query/docs/docs-page.ts'
import { metricsText } from './metrics.ts'
import { openApiDocument } from '#services/query/docs/openapi.ts'
import { RequestCounts } from './requests.ts'
import { type Route, route } from './route.ts'
import { operationRoutes } from '#services/query/routes/operation-routes.ts'
import { describedRoutes, servedRoutes } from '#services/query/routes/routes.ts'

/** The app, in which each request knows its route. */
type App = Hono<{ Variables: { route: string } }>

export interface QueryOptions extends QueryDeps {
  readonly datasets: Datasets
}

/** Everything that the query program needs to answer. The app keeps nothing but counts of requests. */
export function queryApp(options: QueryOptions): App {
  const requests = new RequestCounts()
  return appOf(options, requests, [
    ...servedRoutes(),
    ...datasetRoutes(options.datasets),
    ...ownRoutes(options, requests),
  ])
}

/** The app of a process that answers no reads: how it is, and nothing else. */
export function statusApp(deps: QueryDeps, programs: readonly string[]): App {
  const requests = new RequestCounts()
  const status = operationRoutes().filter(({ path }) => path === '/healthz' || path === '/readyz')
  const app = appOf(deps, requests, [...status, metricsRoute(requests)])
  app.notFound(() =>
    problemResponse(
      new Problem('not_found', `this process runs ${programs.join(' and ')}, and answers no reads`, {
        hint: 'ask a process that runs query; here are /healthz, /readyz and /metrics',
      }),
    ),
  )
  return app
}

function appOf(options: QueryDeps, requests: RequestCounts, served: readonly Route[]): App {
  const app = new Hono<{ Variables: { route: string } }>()
  app.use(async (context, next) => {
    const started = performance.now()
    checkKey(options.key, context.req.raw)
    await next()
    const route = (context.get('route') as string | undefined) ?? 'none'
    const duration_ms = Math.round((performance.now() - started) * 1000) / 1000
    requests.add(context.req.method, route, context.res.status, duration_ms)
    options.logger('debug', 'request', { method: context.req.method, route, status: context.res.status, duration_ms })
  })
  for (const one of served) mount(app, one, options)
  refuseOtherMethods(app, served)
  app.notFound((context) => problemResponse(noSuchRoute(context, served)))
  app.onError((error, context) => {
    const problem = asProblem(error)
    if (problem.code === 'internal')
      options.logger('error', 'request failed', {
        method: context.req.method,
        route: context.get('route') as string | undefined,
        error: errorText(error),
      })
    return problemResponse(problem)
  })
  return app
}

/** The path of a route as Hono writes it. */
const honoPath = (path: string) =>
  path.replaceAll(/\{([^}+]+)(\+?)\}/g, (_, name: string, rest: string) => `:${name}${rest === '' ? '' : '{.+}'}`)

function mount(app: App, { method, path, handle }: Route, deps: QueryDeps): void {
  if (handle === undefined) return
  app.on(method, honoPath(path), (context) => {
    context.set('route', path)
    return handle(deps, (name) => context.req.param(name) ?? '', context.req.raw)
  })
}

/** The routes that tell of the others, and of this process. */
function ownRoutes(options: QueryOptions, requests: RequestCounts): Route[] {
  const described = () => openApiDocument([...describedRoutes(), ...datasetRoutes(options.datasets)], options.publicUrl)
  let text: string | undefined
  let page: string | undefined
  const html = {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-cache',
    'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
    'X-Content-Type-Options': 'nosniff',
  }
  const about = { tag: 'Operations', parameters: {}, answers: [] }
  return [
    route({
      ...about,
      path: '/openapi.json',
      summary: 'This API as OpenAPI 3.1',
      handle: async () =>
        new Response((text ??= jsonText(described())), {
          headers: { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-cache' },
        }),
    }),
    route({
      ...about,
      path: '/',
      summary: 'Where to begin',
      handle: async ({ request }) =>
        request.headers.get('accept')?.includes('text/html') === true
          ? new Response(null, { status: 303, headers: { Location: '/docs' } })
          : new Response(jsonText(entrance(options.publicUrl)), {
              headers: { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-cache' },
            }),
    }),
    route({
      ...about,
      path: '/docs',
      summary: 'The reference page',
      handle: async () => new Response((page ??= docsPage(described())), { headers: html }),
    }),
    metricsRoute(requests),
  ]
}

function metricsRoute(requests: RequestCounts): Route {
  return route({
    tag: 'Operations',
    parameters: {},
    answers: [],
    path: '/metrics',
    summary: 'Metrics for Prometheus',
    handle: async ({ deps }) =>
      new Response(await metricsText(deps.store, deps.log, requests), {
        headers: { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' },
      }),
  })
}

/** What a client that is no browser finds at the root. */
const entrance = (publicUrl: string) => ({
  name: 'stepstore',
  docs: `${publicUrl}/docs`,
  openapi: `${publicUrl}/openapi.json`,
  runs: `${publicUrl}/v1/runs`,
  datasets: `${publicUrl}/v1/datasets`,
})

const digest = (text: string) => createHash('sha256').update(text).digest()

/** Throws `unauthorized` where a key is set and the request does not bear it. */
function checkKey(key: string | undefined, request: Request): void {
  if (key === undefined) return
  const bearer = /^Bearer (.+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
  const given = bearer ?? new URL(request.url).searchParams.get('token') ?? ''
  if (!timingSafeEqual(digest(given), digest(key))) {
    throw new Problem('unauthorized', 'the key is missing or wrong', {
      hint: 'send Authorization: Bearer <key>, or ?token=<key> where headers cannot be sent',
    })
  }
}

/** A problem as an answer. */
function problemResponse(problem: Problem): Response {
  const retry = problem.retryAfterSeconds === undefined ? {} : { 'Retry-After': String(problem.retryAfterSeconds) }
  const challenge = problem.code === 'unauthorized' ? { 'WWW-Authenticate': 'Bearer' } : {}
  return new Response(jsonText(problemBody(problem)), {
    status: problem.status,
    headers: { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...retry, ...challenge },
  })
}

/** 405 with Allow where a path is known and the method is not. */
function refuseOtherMethods(app: App, served: readonly Route[]): void {
  const all = [...served, ...describedRoutes().filter(({ handle }) => handle === undefined)]
  for (const [path, here] of Map.groupBy(all, (one) => honoPath(one.path))) {
    const allowed = here.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
    app.all(path, (context) => {
      const problem = new Problem(
        'method_not_allowed',
        `${context.req.method} does not go with ${here[0]?.path ?? path}`,
        { hint: `use ${allowed.join(' or ')}` },
      )
      const answer = problemResponse(problem)
      answer.headers.set('Allow', allowed.join(', '))
      return answer
    })
  }
}

/** The path of a route whose id was sent with bare slashes, as it should have been sent; undefined where none fits. */
function withSlashesEncoded(path: string, served: readonly Route[]): string | undefined {
  const found = served.flatMap((one) => {
    const [before, after] = one.path.split(/\{\w*id\}/)
    if (before === undefined || after === undefined || !path.startsWith(before) || !path.endsWith(after)) return []
    const id = path.slice(before.length, path.length - after.length)
    return /[^/]\/+[^/]/.test(id) ? [{ id, url: `${before}${id.replaceAll('/', '%2F')}${after}` }] : []
  })
  // The route with the shortest id has the most words of its own, such as /steps.
  return found.toSorted((left, right) => left.id.length - right.id.length)[0]?.url
}

/** A path that no route has; the nearest one, its parts filled in from what was asked. */
function noSuchRoute(context: Context, served: readonly Route[]): Problem {
  const path = context.req.path
  const slashed = withSlashesEncoded(path, served)
  if (slashed !== undefined)
    return new Problem('not_found', `there is no ${path.slice(0, 120)}`, {
      hint: `the slashes of an id in a path are written %2F: ${slashed.slice(0, 400)}`,
    })
  const parts = path.split('/')
  const filled = served.map((one) =>
    one.path
      .split('/')
      .map((part, index) => (part.startsWith('{') ? (parts[index] ?? part) : part))
      .join('/'),
  )
  // Of equally near ones the first is taken: those with as many parts as were asked for come first.
  const near = nearest(
    path,
    filled.sort(
      (left, right) =>
        Math.abs(left.split('/').length - parts.length) - Math.abs(right.split('/').length - parts.length),
    ),
  )
  return new Problem('not_found', `there is no ${path.slice(0, 120)}`, {
    hint: near === undefined ? 'see /docs for all routes' : `did you mean ${near}? /docs has all routes`,
  })
}
