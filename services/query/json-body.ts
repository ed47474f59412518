/** Requests whose body is one JSON object with known members. */
import type { TObject } from 'typebox'
import { Compile } from 'typebox/compile'
import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'

const BODY_BYTES_MAX = 1024 * 1024

/** A member of the body that makes no sense. */
export function badMember(name: string, detail: string, hint: string): Problem {
  return new Problem('invalid', detail, { hint, details: { member: name } })
}

async function textOf(request: Request, bytesMax: number): Promise<string> {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  // Other types are what a page of somebody else's may send with a visitor's rights.
  if (type !== 'application/json')
    throw new Problem('unsupported_media_type', `the body is ${type ?? 'of no type'}`, {
      hint: 'send Content-Type: application/json',
    })
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new Problem('too_large', `the body is over ${bytesMax} bytes`, { hint: 'send less' })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** What a body is meant to be. */
export interface BodyWanted {
  /** Its members. */
  readonly members: readonly string[]
  /** A body that is right. */
  readonly example?: string
  /** 1 MiB unless said. */
  readonly bytesMax?: number
}

/** The body of a request, which has these members at most. Throws `invalid`, `too_large`, `unsupported_media_type`. */
export async function jsonBody(request: Request, wanted: BodyWanted): Promise<Readonly<Record<string, unknown>>> {
  const { members, example, bytesMax = BODY_BYTES_MAX } = wanted
  const hint = example === undefined ? `the members are ${members.join(', ')}` : `send ${example}`
  const text = await textOf(request, bytesMax)
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw new Problem('invalid', 'the body is no JSON', { hint })
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new Problem('invalid', 'the body is no JSON object', { hint })
  for (const name of Object.keys(body)) {
    if (members.includes(name)) continue
    const near = nearest(name, members)
    throw badMember(
      name.slice(0, 80),
      `there is no member ${JSON.stringify(name.slice(0, 80))}`,
      near === undefined ? `the members are ${members.join(', ')}` : `did you mean ${near}?`,
    )
  }
  return body as Readonly<Record<string, unknown>>
}

/** Makes a reader of bodies that fit a schema. What it reads throws what `jsonBody` throws. */
export function checkedBody<Body>(schema: TObject, bytesMax: number): (request: Request) => Promise<Body> {
  const check = Compile(schema)
  const members = Object.keys(schema.properties)
  return async (request) => {
    const body = await jsonBody(request, { members, bytesMax })
    if (check.Check(body)) return body as Body
    const [first] = check.Errors(body)
    const where = first?.instancePath.slice(1) ?? ''
    const detail = `${where === '' ? 'the body' : where} ${first?.message ?? 'is wrong'}`
    const hint = 'see /docs for what this route takes'
    throw where === '' ? new Problem('invalid', detail, { hint }) : badMember(where.split('/')[0] ?? '', detail, hint)
  }
}

/** A member that holds the query of a dataset: as it stands in a URL, or as an object of values and lists of values. */
export function queryMember(body: Readonly<Record<string, unknown>>, name: string): URLSearchParams {
  const given = body[name] ?? ''
  if (typeof given === 'string') return new URLSearchParams(given)
  if (typeof given !== 'object' || Array.isArray(given))
    throw badMember(
      name,
      `${name} is a text such as family=chart_qa&correct=true, or an object`,
      'write it as in a URL',
    )
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(given as Readonly<Record<string, unknown>>)) {
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (typeof one !== 'string' && typeof one !== 'number' && typeof one !== 'boolean')
        throw badMember(
          name,
          `${name}.${key.slice(0, 80)} is a text, a number, true or false, or a list of these`,
          'leave it out',
        )
      query.append(key, String(one))
    }
  }
  return query
}
