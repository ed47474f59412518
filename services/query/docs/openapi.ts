/** The OpenAPI 3.1 document, derived from the routes and the schemas. */
import type { TSchema } from 'typebox'
import * as datasets from '#schemas/datasets.ts'
import { eventDataSchemas } from '#schemas/event-schemas.ts'
import * as answers from '#schemas/http.ts'
import * as analytics from '#schemas/http-analytics.ts'
import * as gym from '#schemas/http-gym.ts'
import * as operations from '#schemas/http-operations.ts'
import * as sql from '#schemas/http-sql.ts'
import * as diagnostics from '#schemas/http-diagnostics.ts'
import * as curriculum from '#schemas/http-curriculum.ts'
import { Message } from '#schemas/messages.ts'
import { PROBLEMS, type ProblemCode } from '#schemas/problems.ts'
import { openApiParameters } from '#services/query/parameters.ts'
import type { Route, RouteAnswer } from '#services/query/route.ts'

export type Json = Record<string, unknown>

/** The version of the API; it grows when the surface does. */
const API_VERSION = '1'

function isSchema(value: unknown): value is TSchema {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    ('type' in value || 'anyOf' in value || 'properties' in value)
  )
}

/** The schemas that have a name of their own, by identity. */
const NAMED = new Map<unknown, string>(
  Object.entries({
    ...answers,
    ...analytics,
    ...operations,
    ...gym,
    ...sql,
    ...diagnostics,
    ...curriculum,
    ...datasets,
    Message,
  })
    .filter(([, value]) => isSchema(value))
    .map(([name, value]) => [value, name]),
)

/** A schema with references in place of the named schemas inside it. */
function referring(schema: unknown, top = false): unknown {
  const name = NAMED.get(schema)
  if (name !== undefined && !top) return { $ref: `#/components/schemas/${name}` }
  if (Array.isArray(schema)) return schema.map((item) => referring(item))
  if (typeof schema !== 'object' || schema === null) return schema
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, referring(value)]))
}

/** Problems that every route may answer with. */
const EVERYWHERE: readonly ProblemCode[] = ['unknown_parameter', 'invalid_parameter', 'unauthorized', 'internal']

function problemAnswers(route: Route): Json {
  const reads = 'after' in route.parameters
  const codes = new Set<ProblemCode>([
    ...EVERYWHERE,
    ...route.problems,
    ...(reads ? (['position_of_another_log', 'behind'] as const) : []),
  ])
  const byStatus = Map.groupBy(codes, (code) => PROBLEMS[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, here]) => [
      String(status),
      {
        description: here.map((code) => `\`${code}\`: ${PROBLEMS[code].meaning}`).join('\n\n'),
        content: { 'application/problem+json': { schema: referring(operations.ProblemBody) } },
      },
    ]),
  )
}

function content(answer: RouteAnswer): Json {
  const binary = Object.fromEntries((answer.types ?? []).map((type) => [type, { schema: {} }]))
  const json = answer.schema === undefined ? {} : { 'application/json': { schema: referring(answer.schema) } }
  const all = { ...binary, ...json }
  return Object.keys(all).length === 0 ? {} : { content: all }
}

function operation(route: Route): Json {
  const path = Object.entries(route.pathParameters).map(([name, description]) => ({
    name,
    in: 'path',
    required: true,
    description,
    schema: { type: 'string' },
  }))
  const bodies = Object.entries(route.requestTypes).map(([type, schema]) => [
    type,
    { schema: schema === null ? {} : referring(schema) },
  ])
  const reads = 'after' in route.parameters
  const headers = reads
    ? {
        headers: {
          'Stepstore-Position': { description: 'The position that the answer includes.', schema: { type: 'string' } },
        },
      }
    : {}
  return {
    operationId: `${route.method.toLowerCase()}${route.path.replaceAll(/[^A-Za-z0-9]+([A-Za-z0-9])?/g, (_, letter: string | undefined) => (letter ?? '').toUpperCase())}`,
    tags: [route.tag],
    summary: route.summary,
    ...(route.detail === '' ? {} : { description: route.detail }),
    parameters: [...path, ...openApiParameters(route.parameters)],
    ...(bodies.length === 0 ? {} : { requestBody: { required: true, content: Object.fromEntries(bodies) } }),
    responses: {
      ...problemAnswers(route),
      ...Object.fromEntries(
        route.answers.map((answer) => [
          String(answer.status),
          { description: answer.description, ...headers, ...content(answer) },
        ]),
      ),
    },
  }
}

/** The document for these routes; `publicUrl` is the base of the server that it describes. */
export function openApiDocument(routes: readonly Route[], publicUrl: string): Json {
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    const path = route.path.replaceAll('+}', '}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) }
  }
  const named = [...NAMED]
    .map(([schema, name]) => [name, referring(schema, true)] as const)
    .sort(([left], [right]) => (left < right ? -1 : 1))
  return {
    openapi: '3.1.0',
    info: {
      title: 'Stepstore',
      version: API_VERSION,
      description:
        'Trajectories of agents as events: sent once, kept in order, read as rows, files and training sets. Times are RFC 3339 in UTC, durations in milliseconds, sizes in bytes. Errors are problem details (RFC 9457) with `code`, `detail` and `hint`.',
    },
    servers: [{ url: publicUrl }],
    security: [{}, { bearer: [] }, { token: [] }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { ...Object.fromEntries(named), ...eventDataSchemas() },
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        token: { type: 'apiKey', in: 'query', name: 'token' },
      },
    },
  }
}
