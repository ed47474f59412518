/** The query app over a real store and projection, with a log in memory; every answer is checked against its declaration. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Compile } from 'typebox/compile'
import type { EventType } from '#schemas/events.ts'
import { Message, ToolCall } from '#schemas/messages.ts'
import { directoryBlobs } from '#services/blobs/directory.ts'
import type { Datasets } from '#services/datasets/datasets.ts'
import { duckLakes } from '#services/ducklake/ducklake.ts'
import type { Lake } from '#services/lake/lake.ts'
import { silent } from '#services/logger.ts'
import { type Offsets, formatPosition } from '#services/position.ts'
import { startProject } from '#services/project/project.ts'
import { queryApp } from '#services/query/app.ts'
import type { ArchiveView } from '#services/query/deps.ts'
import { describedRoutes } from '#services/query/routes/routes.ts'
import { recordOf } from '#tests/support/histories.ts'
import { lentStore } from '#tests/support/lent-store.ts'
import { type MemoryLog, memoryLog } from '#tests/support/memory-log.ts'

export const NOW = Date.UTC(2026, 0, 2)
export const PUBLIC_URL = 'http://127.0.0.1:7070'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // Answers are checked against their schemas before a test sees them, so tests may look at them freely.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

export type World = Awaited<ReturnType<typeof queryWorld>>

/** The answer of an archive that has made no cut. */
const NO_ARCHIVE: ArchiveView = { newest: undefined, reach: () => Promise.resolve(undefined) }

export interface QueryWorldOptions {
  readonly key?: string
  readonly archive?: ArchiveView
  /** Makes catalogs for DuckDB; without one there are none. */
  readonly lake?: Lake
}

export async function queryWorld(options: QueryWorldOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'stepstore-query-'))
  const log: MemoryLog = memoryLog()
  const store = await lentStore()
  const blobs = await directoryBlobs({ folder })
  const project = await startProject({ log, store, logger: silent })
  const errors: string[] = []
  const { lake } = options
  const catalogs =
    lake === undefined
      ? {}
      : {
          duckLakes: duckLakes({
            store,
            blobs,
            runCopy: (request) => lake.copy(request),
            scratchDir: join(lake.scratchDir, 'catalogs'),
          }),
        }
  const app = queryApp({
    store,
    log,
    blobs,
    project,
    archive: options.archive ?? NO_ARCHIVE,
    datasets: {} as Datasets,
    logger: (level, what, fields) => level === 'error' && errors.push(`${what}: ${String(fields?.['error'])}`),
    clock: () => NOW,
    publicUrl: PUBLIC_URL,
    key: options.key,
    ...catalogs,
  })
  const send = async (
    ...events: readonly (readonly [EventType, Record<string, unknown>, string?])[]
  ): Promise<string> => {
    const appended: Offsets = await log.append(
      events.map(([type, data, time]) => recordOf({ type, data, time: time ?? '2026-01-01T00:00:00Z' })),
    )
    await project.waitFor(appended, 10_000)
    return formatPosition(log.id, appended)
  }
  const request = async (path: string, init?: RequestInit): Promise<Response> =>
    app.request(`http://127.0.0.1${path}`, init)
  const get = async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const response = await request(path, init)
    if (response.status === 500) throw new Error(`${path}: ${errors.join('; ')}`)
    const type = response.headers.get('content-type') ?? ''
    const body: unknown = type.includes('json') ? JSON.parse(await response.text()) : await response.text()
    if (type.startsWith('application/json')) checkAnswer(init.method ?? 'GET', path, response.status, body)
    return { status: response.status, headers: response.headers, body }
  }
  const close = async () => {
    await project.stop()
    await store.close()
    await rm(folder, { recursive: true, force: true })
  }
  return { app, log, store, blobs, project, send, request, get, close, folder }
}

/** The path of an id, encoded. */
export const encoded = (id: string) => encodeURIComponent(id)

/** Schemas of open content: producers may add to them. */
const OPEN = new Set<unknown>([Message, ToolCall])

/** The same schema, refusing fields that it does not name, so that what is answered and what is declared cannot drift apart. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null || OPEN.has(schema)) return schema
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]))
  return 'properties' in schema ? { ...inner, additionalProperties: false } : inner
}

const checks = describedRoutes().flatMap((route) =>
  route.answers.flatMap((answer) =>
    answer.schema === undefined
      ? []
      : [
          {
            method: route.method,
            status: answer.status,
            pattern: new RegExp(`^${route.path.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`),
            check: Compile(closed(answer.schema) as typeof answer.schema),
          },
        ],
  ),
)

function checkAnswer(method: string, path: string, status: number, body: unknown): void {
  const found = checks.find(
    (one) => one.method === method && one.status === status && one.pattern.test(path.split('?')[0] ?? ''),
  )
  if (found === undefined) return
  if (!found.check.Check(body))
    throw new Error(
      `${method} ${path} answered what it does not declare: ${JSON.stringify(found.check.Errors(body)).slice(0, 600)}\n${JSON.stringify(body).slice(0, 1500)}`,
    )
}
