import { request } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parsePosition } from '#services/position.ts'
import { ingestWorld, type IngestWorld, postEvents, runStarted } from '#tests/support/ingest-world.ts'

const LINES = 'application/x-ndjson'

let world: IngestWorld
beforeEach(async () => {
  world = await ingestWorld()
})
afterEach(async () => {
  await world.close()
})

test('bodies beyond the budget of bytes: 429 with Retry-After while others are being read, and 200 afterwards', async () => {
  await world.close()
  world = await ingestWorld({ inFlightBytesMax: 100_000 })
  const slow = request(`${world.url}/v1/events`, { method: 'POST', headers: { 'content-type': LINES } })
  const answered = new Promise<number>((resolve) => slow.on('response', (reply) => resolve(reply.statusCode ?? 0)))
  slow.write(`${runStarted('slow', { config: { text: 'x'.repeat(90_000) } })}\n`)
  const large = runStarted('large', { config: { text: 'x'.repeat(50_000) } })
  let refused = await postEvents(world, large)
  while (refused.status === 200) refused = await postEvents(world, large)
  expect(refused).toMatchObject({ status: 429, body: { code: 'too_many' } })
  expect(refused.headers.get('retry-after')).toBe('1')
  slow.end()
  expect(await answered).toBe(200)
  expect((await postEvents(world, large)).status).toBe(200)
})

test('a log whose budget is spent answers 429, and what was acknowledged is kept', async () => {
  await world.close()
  world = await ingestWorld({ pendingBytesMax: 30_000 })
  const replies = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      postEvents(world, runStarted(`r${index}`, { config: { text: 'x'.repeat(9_000) } })),
    ),
  )
  const statuses = new Set(replies.map(({ status }) => status))
  expect([...statuses].every((status) => status === 200 || status === 429)).toBe(true)
  const acknowledged = replies.flatMap(({ status }, index) => (status === 200 ? [`r${index}`] : []))
  expect(acknowledged.length).toBeGreaterThan(0)
  expect((await world.records()).map(({ key }) => key).toSorted()).toEqual(acknowledged.toSorted())
})

test('many requests at once: every event once, and each position includes its own', async () => {
  const replies = await Promise.all(
    Array.from({ length: 60 }, async (_, who) => {
      const ids = Array.from({ length: 1 + (who % 7) }, (_each, index) => `run-${who}-${index}`)
      return { ids, reply: await postEvents(world, ids.map((id) => runStarted(id)).join('\n')) }
    }),
  )
  const places = new Map((await world.records()).map((record) => [record.key, record]))
  expect(places.size).toBe(replies.reduce((sum, { ids }) => sum + ids.length, 0))
  for (const { ids, reply } of replies) {
    const { offsets } = parsePosition(String(reply.body['position']))
    for (const id of ids) {
      const record = places.get(id)
      expect(record?.offset).toBeLessThan(offsets.get(record?.partition ?? -1) ?? 0)
    }
  }
})

describe('with a key', () => {
  beforeEach(async () => {
    await world.close()
    world = await ingestWorld({ key: 'open sesame' })
  })

  test('a request bears it in the header or in the query, else 401, and it never shows', async () => {
    expect(await postEvents(world, runStarted('a'))).toMatchObject({
      status: 401,
      body: { code: 'unauthorized', hint: expect.any(String) },
    })
    const wrong = await postEvents(world, runStarted('a'), {
      'content-type': LINES,
      authorization: 'Bearer open sesamE',
    })
    expect(wrong.status).toBe(401)
    expect(wrong.headers.get('www-authenticate')).toBe('Bearer')
    expect(
      (await postEvents(world, runStarted('a'), { 'content-type': LINES, authorization: 'Bearer open sesame' })).status,
    ).toBe(200)
    expect((await postEvents(world, runStarted('b'), { 'content-type': LINES }, '?token=open%20sesame')).status).toBe(
      200,
    )
    const mistaken = await postEvents(
      world,
      runStarted('b'),
      { 'content-type': LINES },
      '?token=open%20sesame&strick=true',
    )
    expect(JSON.stringify([wrong.body, mistaken.body, world.lines])).not.toContain('sesam')
  })

  test('every route wants it', async () => {
    const reply = await fetch(`${world.url}/healthz`)
    expect(reply.status).toBe(401)
  })
})
