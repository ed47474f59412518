/** What the routes of ingest share: the key, parameters, where bodies come from, and how problems are answered. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import { nearest } from '#services/core/nearest.ts'
import { jsonText } from '#services/json-text.ts'
import { Problem, problemBody } from '#services/problem.ts'
import type { BodySource } from './body.ts'

/** The context of a request; the bindings are there when it came over a socket. */
export type Call = Context<{ Bindings: Partial<HttpBindings> }>

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** A check that a request bears the key. Throws `unauthorized`, in equal time whatever the key was. */
export function keyCheck(key: string | undefined): (call: Call) => void {
  if (key === undefined) return () => {}
  const want = digest(key)
  return (call) => {
    const bearer = /^Bearer +(.+)$/i.exec(call.req.header('authorization') ?? '')?.[1]
    const given = bearer ?? call.req.query('token')
    if (given === undefined || !timingSafeEqual(digest(given), want)) {
      throw new Problem(
        'unauthorized',
        given === undefined ? 'this server wants a key' : 'the key is not the right one',
        {
          hint: 'send the header Authorization: Bearer <key>, or ?token=<key>',
        },
      )
    }
  }
}

/** The query parameters of a request. Throws `unknown_parameter`, and `invalid_parameter` where one comes twice. */
export function parameters(call: Call, known: readonly string[]): Readonly<Record<string, string>> {
  if (!call.req.url.includes('?')) return {}
  const found: Record<string, string> = {}
  for (const [name, values] of Object.entries(call.req.queries())) {
    if (name === 'token') continue
    if (!known.includes(name)) {
      const near = nearest(name, known)
      const hint =
        near === undefined
          ? known.length === 0
            ? 'this route takes no parameters'
            : `known: ${known.join(', ')}`
          : `did you mean ${near}?`
      throw new Problem('unknown_parameter', `unknown parameter ${JSON.stringify(name.slice(0, 80))}`, { hint })
    }
    if (values.length > 1)
      throw new Problem('invalid_parameter', `the parameter ${name} came ${values.length} times`, {
        hint: 'send it once',
      })
    found[name] = values[0] ?? ''
  }
  return found
}

/** Where the body of a request comes from. */
export function bodyOf(call: Call): BodySource {
  return call.env?.incoming ?? (call.req.raw.body as ReadableStream<Uint8Array> | null)
}

/** A JSON answer. */
export function jsonReply(body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(jsonText(body), { status, headers: { 'content-type': 'application/json', ...headers } })
}

/** The answer to a problem, as RFC 9457 has it. */
export function problemReply(problem: Problem): Response {
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' }
  if (problem.retryAfterSeconds !== undefined) headers['retry-after'] = String(problem.retryAfterSeconds)
  if (problem.code === 'unauthorized') headers['www-authenticate'] = 'Bearer'
  return new Response(jsonText(problemBody(problem)), { status: problem.status, headers })
}
