import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ingestWorld, type IngestWorld } from '#tests/support/ingest-world.ts'

let world: IngestWorld
let query: Server

beforeEach(async () => {
  world = await ingestWorld()
  query = createServer({ maxHeaderSize: 1024 * 1024 }, (incoming, response) =>
    response.end(String(incoming.url?.length)),
  )
  query.listen(world.querySocket)
  await once(query, 'listening')
})
afterEach(async () => {
  query.closeAllConnections()
  query.close()
  await world.close()
})

test('a URL of 100 kB is read like any other', async () => {
  const path = `/v1/datasets/sft.parquet?item=${'x'.repeat(100_000)}`
  expect(await (await fetch(`${world.url}${path}`)).text()).toBe(String(path.length))
})

test('a URL of a megabyte is told what is wrong and what to do', async () => {
  const reply = await fetch(`${world.url}/v1/datasets/sft.parquet?item=${'x'.repeat(1_000_000)}`)
  expect([reply.status, reply.headers.get('content-type')]).toEqual([431, 'application/problem+json'])
  expect(await reply.json()).toMatchObject({
    code: 'too_large',
    status: 431,
    hint: expect.stringContaining('/v1/recipes'),
  })
})
