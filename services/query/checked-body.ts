/** Requests whose body is one JSON object, checked against what the route declares. */
import type { TObject } from 'typebox'
import { Compile } from 'typebox/compile'
import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'

async function textOf(request: Request, bytesMax: number): Promise<string> {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json')
    throw new Problem('unsupported_media_type', `the body is ${type ?? 'of no type'}`, {
      hint: 'send application/json',
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

/** Makes a reader of bodies. What it reads throws `invalid` with what is wrong, `too_large`, `unsupported_media_type`. */
export function checkedBody<Body>(schema: TObject, bytesMax: number): (request: Request) => Promise<Body> {
  const check = Compile(schema)
  const known = Object.keys(schema.properties)
  const wrong = (detail: string, hint: string): Problem => new Problem('invalid', detail, { hint })
  const fields = `the fields are ${known.join(', ')}`
  return async (request) => {
    let body: unknown
    try {
      body = JSON.parse(await textOf(request, bytesMax))
    } catch (error) {
      if (error instanceof Problem) throw error
      throw wrong('the body is no JSON', fields)
    }
    if (typeof body !== 'object' || body === null || Array.isArray(body)) throw wrong('the body is no object', fields)
    for (const name of Object.keys(body)) {
      if (known.includes(name)) continue
      const near = nearest(name, known)
      throw wrong(
        `there is no field ${JSON.stringify(name.slice(0, 80))}`,
        near === undefined ? fields : `did you mean ${near}?`,
      )
    }
    if (!check.Check(body)) {
      const [first] = check.Errors(body)
      const where = first?.instancePath.slice(1) ?? ''
      throw wrong(
        `${where === '' ? 'the body' : where} ${first?.message ?? 'is wrong'}`,
        'see /docs for what this route takes',
      )
    }
    return body as Body
  }
}
