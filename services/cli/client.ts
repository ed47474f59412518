/** Talks to a running server. */
import { Problem } from '#services/problem.ts'
import { PROBLEMS, type ProblemCode } from '#schemas/problems.ts'

export interface ClientOptions {
  readonly url: string
  readonly key: string | undefined
  /** What carries requests; the network unless told otherwise. */
  readonly transport?: (request: Request) => Response | Promise<Response>
}

export interface Client {
  readonly url: string
  /** The JSON of an answer. Throws the server's problem, or `unavailable` where there is no server. */
  get(path: string): Promise<unknown>
  post(path: string, body: unknown): Promise<unknown>
  delete(path: string): Promise<unknown>
  /** The answer itself, unless it is a problem. */
  fetch(path: string, request?: RequestInit): Promise<Response>
  /** The status and JSON of an answer, also of one that is a problem. */
  answer(path: string): Promise<{ readonly status: number; readonly body: unknown }>
  /** Whether a server answers. */
  isThere(): Promise<boolean>
}

type Fields = Readonly<Record<string, unknown>>

/** A client of the server at `url`, which bears the key where there is one. */
export function client({ url, key, transport = (request) => fetch(request) }: ClientOptions): Client {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const carry = async (path: string, request: RequestInit = {}): Promise<Response> => {
    try {
      return await transport(
        new Request(`${url}${path}`, {
          ...request,
          headers: { ...headers, ...(request.headers as Record<string, string> | undefined) },
        }),
      )
    } catch (error) {
      throw noServer(url, error)
    }
  }
  const send = async (path: string, request?: RequestInit): Promise<Response> => {
    const response = await carry(path, request)
    if (response.ok) return response
    throw problemOf(response, await response.text())
  }
  const json = async (path: string, request?: RequestInit): Promise<unknown> => {
    const text = await (await send(path, request)).text()
    return text === '' ? undefined : (JSON.parse(text) as unknown)
  }
  return {
    url,
    fetch: send,
    answer: async (path) => {
      const response = await carry(path)
      return { status: response.status, body: JSON.parse(await response.text()) as unknown }
    },
    get: (path) => json(path),
    post: (path, body) =>
      json(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    delete: (path) => json(path, { method: 'DELETE' }),
    isThere: async () => {
      const answer = await fetch(`${url}/healthz`, { headers, signal: AbortSignal.timeout(5_000) }).catch(
        () => undefined,
      )
      await answer?.body?.cancel()
      return answer !== undefined
    },
  }
}

/** What to say where nothing answers. */
export function noServer(url: string, cause?: unknown): Problem {
  return new Problem('unavailable', `no server answers at ${url}`, {
    hint: 'start one with `npm start`, or set STEPSTORE_URL to where it is',
    ...(cause === undefined ? {} : { cause }),
  })
}

function problemOf(response: Response, text: string): Problem {
  let body: Fields = {}
  try {
    body = fields(JSON.parse(text))
  } catch {
    // Not ours: a proxy's page, say.
  }
  const code = textOf(body['code'])
  const known =
    code !== undefined && code in PROBLEMS ? (code as ProblemCode) : response.status === 404 ? 'not_found' : 'internal'
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  const hint = textOf(body['hint'])
  return new Problem(known, textOf(body['detail']) ?? `the server answered ${response.status}`, {
    ...(hint === undefined ? {} : { hint }),
    ...(seconds >= 0 ? { retryAfterSeconds: seconds } : {}),
  })
}

/** An unknown value as an object; an empty one where it is none. */
export function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

/** An unknown value as a list of objects. */
export function rowsOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fields) : []
}

export const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** An unknown value as a number; 0 where it is none. */
export const numberOf = (value: unknown): number => (typeof value === 'number' ? value : 0)
