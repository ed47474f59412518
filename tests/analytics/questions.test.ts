/** Every request of the table of questions, sent as it is written, over runs whose numbers are known. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { QUESTIONS } from '#services/query/docs/questions.ts'
import { type ServerProcess, type World, cleanUp, newWorld, startServer } from '#tests/support/server-process.ts'
import { KNOWN } from './known-runs.ts'
import { EXPECTED } from './known-answers.ts'

const ROOT = join(import.meta.dirname, '..', '..')
/** A row of the table in Markdown: its number, its question, and what stands between backticks. */
const ROW = /^\| (\d+) \| ([^|]+) \| ([^|]+) \| (.+) \|$/

interface Asked {
  readonly number: number
  readonly question: string
  readonly requests: readonly string[]
}

/** The table as people read it. */
function written(): Asked[] {
  const text = readFileSync(join(ROOT, 'schemas', 'generated', 'questions.md'), 'utf8')
  return text.split('\n').flatMap((line) => {
    const [, number, , question, cells] = ROW.exec(line) ?? []
    if (number === undefined || question === undefined || cells === undefined) return []
    const requests = [...cells.matchAll(/`([^`]+)`/g)].map(([, request]) =>
      (request ?? '').replaceAll(String.raw`\|`, '|'),
    )
    return [{ number: Number(number), question, requests }]
  })
}

let world: World
let server: ServerProcess

async function ask(request: string): Promise<unknown> {
  const [, method = '', path = '', body] = /^(GET|POST) (\S+)(?: (.+))?$/.exec(request) ?? []
  const fresh = `${path}${path.includes('?') ? '&' : '?'}after=latest&wait=60`
  const answer = await fetch(`${world.url}${fresh}`, {
    method,
    ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
  })
  const text = await answer.text()
  if (answer.status === 202) return ask(request)
  if (!answer.ok) throw new Error(`${request}: ${answer.status} ${text}`)
  const lines = (answer.headers.get('content-type') ?? '').includes('ndjson')
  return lines
    ? text.split('\n').flatMap((line): unknown[] => (line === '' ? [] : [JSON.parse(line)]))
    : JSON.parse(text)
}

beforeAll(async () => {
  world = await newWorld()
  server = startServer(world)
  await server.ready()
  const lines = KNOWN.map((event, index) =>
    JSON.stringify({ specversion: '1.0', id: String(index), source: '/tests', ...event }),
  )
  const answer = await fetch(`${world.url}/v1/events?strict=true`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  })
  expect([answer.status, await answer.text()]).toEqual([200, expect.any(String)])
}, 120_000)

afterAll(async () => {
  await server.sigterm()
  await cleanUp(world)
})

describe('the table of questions', () => {
  test('has 26 rows, each with a known answer, and is what /docs shows', async () => {
    expect(written().map(({ question }) => question)).toEqual(Object.keys(EXPECTED))
    expect(written()).toHaveLength(26)
    expect(written().map(({ requests }) => requests)).toEqual(QUESTIONS.map(({ requests }) => requests))
    const page = await (await fetch(`${world.url}/docs`)).text()
    for (const { asks } of QUESTIONS) expect(page).toContain(asks)
  })

  test.each(written().map((row) => [`${row.number}. ${row.question}`, row] as const))(
    '%s',
    async (_, { question, requests }) => {
      const expected = EXPECTED[question] ?? []
      expect(expected).toHaveLength(requests.length)
      for (const [index, request] of requests.entries())
        expect({ request, answer: await ask(request) }).toMatchObject({ request, answer: expected[index] })
    },
    120_000,
  )

  test('replays a trajectory up to any place', async () => {
    const [, request = ''] = QUESTIONS.at(-1)?.requests ?? []
    const { rows } = (await ask(request)) as { rows: { offset: number; type: string }[] }
    const finish = rows.find(({ type }) => type === 'trajectory.finished')?.offset ?? 0
    const before = (await ask(request.replace('100000', String(finish)))) as { rows: unknown[] }
    expect(before.rows).toEqual(rows.slice(0, 3))
  })
})
