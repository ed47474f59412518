/** A route, declared once: how it is called, what it answers and who does it. The OpenAPI document derives from it. */
import type { TSchema } from 'typebox'
import type { ProblemCode } from '#schemas/problems.ts'
import {
  type Parameter,
  type ParameterSet,
  type Parsed,
  parseParameters,
  position,
  real,
  many,
  withDefault,
} from './parameters.ts'
import type { QueryDeps } from './deps.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** What every read takes besides its own parameters. */
export const READ_PARAMETERS = {
  after: many(
    position(
      'Answer only from state that includes this position: a token, the plain form 0:123,3:45, or latest. May repeat.',
    ),
  ),
  wait: withDefault(real('How long to wait for that state, in seconds.', { minimum: 0, maximum: 60 }), 10),
} satisfies ParameterSet

/** What a handler is given. */
export interface Call<Set extends ParameterSet> {
  readonly deps: QueryDeps
  readonly query: Parsed<Set>
  /** A part of the path, decoded. */
  readonly path: (name: string) => string
  readonly request: Request
}

/** What a route answers when all is well. */
export interface RouteAnswer {
  readonly status: number
  readonly description: string
  /** Absent where the body is not JSON. */
  readonly schema?: TSchema
  /** The media types of the body; application/json unless said. */
  readonly types?: readonly string[]
}

export interface Route {
  readonly method: Method
  /** As OpenAPI writes it: `/v1/runs/{run_id}`. A last part `{name+}` takes slashes. */
  readonly path: string
  readonly tag: string
  readonly summary: string
  /** What the summary cannot say, in Markdown. */
  readonly detail: string
  /** What the parts of the path mean. */
  readonly pathParameters: Readonly<Record<string, string>>
  readonly parameters: ParameterSet
  readonly requestTypes: Readonly<Record<string, TSchema | null>>
  readonly answers: readonly RouteAnswer[]
  /** The problems that it may answer with, besides those that every route may. */
  readonly problems: readonly ProblemCode[]
  /** Undefined where another program serves it on the same port, and it is only described here. */
  readonly handle:
    | ((deps: QueryDeps, path: (name: string) => string, request: Request) => Promise<Response>)
    | undefined
}

interface Declared<Set extends ParameterSet> {
  readonly method?: Method
  readonly path: string
  readonly tag: string
  readonly summary: string
  readonly detail?: string
  readonly pathParameters?: Readonly<Record<string, string>>
  readonly parameters: Set
  readonly requestTypes?: Readonly<Record<string, TSchema | null>>
  readonly answers: readonly RouteAnswer[]
  readonly problems?: readonly ProblemCode[]
  readonly handle?: (call: Call<Set>) => Promise<Response>
}

/** Declares a route. GET and without path parts unless said otherwise. */
export function route<const Set extends Readonly<Record<string, Parameter<unknown>>>>(declared: Declared<Set>): Route {
  const { handle } = declared
  return {
    method: 'GET',
    detail: '',
    pathParameters: {},
    requestTypes: {},
    problems: [],
    ...declared,
    handle:
      handle === undefined
        ? undefined
        : async (deps, path, request) =>
            handle({
              deps,
              query: parseParameters(declared.parameters, new URL(request.url).searchParams),
              path,
              request,
            }),
  }
}
