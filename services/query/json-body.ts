/** Bodies that are one JSON object with known members. */
import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'

const BODY_BYTES_MAX = 1024 * 1024

/** A member of the body that makes no sense. */
export function badMember(name: string, detail: string, hint: string): Problem {
  return new Problem('invalid', detail, { hint, details: { member: name } })
}

/** The body of a request, which has these members at most. Throws `invalid` and `too_large`. */
export async function jsonBody(
  request: Request,
  known: readonly string[],
  example: string,
): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX)
      throw new Problem('too_large', `the body is over ${BODY_BYTES_MAX} bytes`, { hint: `send ${example}` })
    chunks.push(chunk)
  }
  let body: unknown
  try {
    body = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    throw new Problem('invalid', 'the body is no JSON', { hint: `send ${example}` })
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new Problem('invalid', 'the body is no JSON object', { hint: `send ${example}` })
  for (const name of Object.keys(body)) {
    if (known.includes(name)) continue
    const near = nearest(name, known)
    throw badMember(
      name.slice(0, 80),
      `there is no member ${JSON.stringify(name.slice(0, 80))}`,
      near === undefined ? `the members are ${known.join(', ')}` : `did you mean ${near}?`,
    )
  }
  return body as Readonly<Record<string, unknown>>
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
