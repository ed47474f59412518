/** Talks to a running server. */
import { Problem } from '#services/problem.ts'
import { PROBLEMS, type ProblemCode } from '#schemas/problems.ts'

export interface ClientOptions {
  readonly url: string
  readonly key: string | undefined
  /** What carries requests; the network unless told otherwise. */
  readonly transport?: (request: Request) => Response | Promise<Response>
  /** How long the server may be silent, beside what a request asks it to wait: before its answer, and in the middle of it. */
  readonly silenceMsMax?: number
}

/** The longest that a healthy server is silent: a dataset is answered for after 25 s at the latest. */
const SILENCE_MS_MAX = 40_000
/** What needs no work is answered at once, even on a busy machine. */
const THERE_MS_MAX = 5_000

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
  /** Whether a server answers. Throws `unavailable` where one takes the connection and says nothing. */
  isThere(): Promise<boolean>
}

type Fields = Readonly<Record<string, unknown>>

/** A client of the server at `url`, which bears the key where there is one. */
export function client({ url, key, transport, silenceMsMax = SILENCE_MS_MAX }: ClientOptions): Client {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const carry = async (path: string, request: RequestInit = {}): Promise<Response> => {
    const asked = new Request(`${url}${path}`, {
      ...request,
      headers: { ...headers, ...(request.headers as Record<string, string> | undefined) },
    })
    if (transport !== undefined) return transport(asked)
    return inTime(asked, silenceMsMax + waitMsOf(asked.url))
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
      try {
        const answer = await inTime(new Request(`${url}/healthz`, { headers }), Math.min(THERE_MS_MAX, silenceMsMax))
        await answer.body?.cancel()
        return true
      } catch (error) {
        if (error instanceof Problem && error.details['silent'] === true) throw error
        return false
      }
    },
  }
}

/** What a request asks the server to wait for the state that it wants, in milliseconds. */
function waitMsOf(url: string): number {
  const seconds = Number(new URL(url).searchParams.get('wait') ?? 10)
  return Number.isFinite(seconds) ? Math.min(60, Math.max(0, seconds)) * 1000 : 0
}

/** Carries a request over the network. Throws `unavailable` where nothing answers, or nothing comes for `silenceMsMax`. */
async function inTime(request: Request, silenceMsMax: number): Promise<Response> {
  const { origin } = new URL(request.url)
  const stop = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const heard = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => stop.abort(silent(origin, silenceMsMax)), silenceMsMax)
  }
  const failed = (error: unknown): Error => {
    clearTimeout(timer)
    return stop.signal.aborted ? (stop.signal.reason as Error) : noServer(origin, error)
  }
  heard()
  let answer: Response
  try {
    answer = await fetch(request, { signal: stop.signal })
  } catch (error) {
    throw failed(error)
  }
  const { body } = answer
  if (body === null) {
    clearTimeout(timer)
    return answer
  }
  heard()
  const watched = body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (piece, out) => {
        heard()
        out.enqueue(piece)
      },
      flush: () => clearTimeout(timer),
      cancel: () => clearTimeout(timer),
    }),
  )
  return new Response(watched, { status: answer.status, statusText: answer.statusText, headers: answer.headers })
}

/** What to say of a server that keeps its silence. */
function silent(url: string, ms: number): Problem {
  return new Problem('unavailable', `the server at ${url} does not answer: ${ms / 1000} s without a word`, {
    hint: 'it may be overloaded or hang: see its log, restart it if it stays so, then run this again',
    details: { silent: true },
  })
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
