/** The dataset routes over a small lake, as an HTTP application. */
import { Hono } from 'hono'
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import { asProblem, problemBody } from '#services/problem.ts'
import { silent } from '#services/logger.ts'
import { datasetRoutes, type DatasetRoutesOptions } from '#services/query/routes/dataset-routes.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import type { SmallLake } from './small-lake.ts'

export const PUBLIC_URL = 'http://stepstore.test'

/** A store in which every table is empty. */
const db = new Kysely({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (own) => new PostgresIntrospector(own),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
})

/** An application with the dataset routes alone. */
export function served(lake: SmallLake, options: DatasetRoutesOptions = {}): Hono {
  const app = new Hono()
  const deps = {
    blobs: lake.blobs,
    store: { db },
    logger: silent,
    clock: () => 0,
    publicUrl: PUBLIC_URL,
    archive: { newest: undefined },
    log: { id: 'log-1', partitions: 4, bounds: async () => [] },
  } as unknown as QueryDeps
  for (const { method, path, handle } of datasetRoutes(lake.datasets, options)) {
    app.on(method, path.replaceAll(/\{(\w+)\}/g, ':$1'), async (context) => {
      if (handle === undefined) return context.notFound()
      return handle(deps, (name) => context.req.param(name) ?? '', context.req.raw)
    })
  }
  app.onError((error) => {
    const problem = asProblem(error)
    const retry = problem.retryAfterSeconds === undefined ? {} : { 'Retry-After': String(problem.retryAfterSeconds) }
    return new Response(JSON.stringify(problemBody(problem)), {
      status: problem.status,
      headers: { 'Content-Type': 'application/problem+json', ...retry },
    })
  })
  return app
}
