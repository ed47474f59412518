import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readEvent } from '#services/core/event-reader.ts'
import { ingestWorld, type IngestWorld } from '#tests/support/ingest-world.ts'

const PNG = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(100, 1)])
const JPEG = Buffer.concat([Buffer.from('\xff\xd8\xff\xe0', 'latin1'), Buffer.alloc(100, 2)])
const WEBP = Buffer.concat([Buffer.from('RIFF\x10\0\0\0WEBPVP8 ', 'latin1'), Buffer.alloc(100, 3)])
const idOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

let world: IngestWorld
beforeEach(async () => {
  world = await ingestWorld()
})
afterEach(async () => {
  await world.close()
})

async function put(
  bytes: Uint8Array,
  type = 'image/png',
  id = idOf(bytes),
): Promise<{ status: number; body: Record<string, unknown> }> {
  const reply = await fetch(`${world.url}/v1/images/${id}`, {
    method: 'PUT',
    headers: { 'content-type': type },
    body: bytes,
  })
  return { status: reply.status, body: (await reply.json()) as Record<string, unknown> }
}

async function missing(body: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
  const reply = await fetch(`${world.url}/v1/images/missing`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: reply.status, body: (await reply.json()) as Record<string, unknown> }
}

test.each([
  ['image/png', PNG],
  ['image/jpeg', JPEG],
  ['image/webp', WEBP],
])('%s: 201, its bytes in blobs, its event in the log; again 200 and nothing more', async (type, bytes) => {
  expect(await put(bytes, type)).toMatchObject({
    status: 201,
    body: { image_id: idOf(bytes), media_type: type, bytes: bytes.length },
  })
  expect((await put(bytes, type)).status).toBe(200)
  const id = idOf(bytes)
  expect(Buffer.from((await world.blobs.get(`images/${id.slice(0, 2)}/${id}`)) ?? []).equals(bytes)).toBe(true)
  const records = await world.records()
  expect(records).toHaveLength(1)
  expect(records[0]).toMatchObject({ key: id, headers: { 'stepstore-internal': '1' } })
  expect(readEvent(records[0]?.value ?? null, records[0]?.headers)).toMatchObject({
    readable: true,
    type: 'image.stored',
    partitionKey: id,
    data: { image_id: id, media_type: type, bytes: bytes.length },
  })
})

test('bytes that do not hash to the name, or are not of the type: 422 and nothing is kept', async () => {
  expect(await put(PNG, 'image/png', idOf(JPEG))).toMatchObject({ status: 422, body: { code: 'unreadable' } })
  expect(await put(PNG, 'image/jpeg')).toMatchObject({
    status: 422,
    body: { detail: expect.stringContaining('image/png') },
  })
  expect(await put(Buffer.from('GIF89a'), 'image/png')).toMatchObject({ status: 422 })
  expect(await world.records()).toEqual([])
  expect((await missing([idOf(PNG), idOf(JPEG)])).body).toEqual({ missing: [idOf(PNG), idOf(JPEG)] })
})

test('another type 415, a bad name 400, over 32 MiB 413', async () => {
  expect((await put(PNG, 'image/gif')).status).toBe(415)
  expect((await put(PNG, 'image/png', idOf(PNG).toUpperCase())).status).toBe(400)
  expect((await put(Buffer.concat([PNG, Buffer.alloc(32 * 1024 * 1024)]))).status).toBe(413)
})

test('missing answers what is not held, once each, from a list or an object', async () => {
  await put(PNG)
  const asked = [idOf(JPEG), idOf(PNG), idOf(WEBP), idOf(JPEG)]
  for (const body of [asked, { image_ids: asked }])
    expect(await missing(body)).toEqual({ status: 200, body: { missing: [idOf(JPEG), idOf(WEBP)] } })
})

test('missing says what is wrong with its body', async () => {
  expect(await missing('{')).toMatchObject({ status: 400, body: { code: 'bad_body' } })
  expect(await missing({ ids: [] })).toMatchObject({
    status: 400,
    body: { code: 'bad_body', hint: expect.stringContaining('image_ids') },
  })
  expect(await missing([idOf(PNG), 'short'])).toMatchObject({ status: 400, body: { index: 1 } })
  expect(await missing(Array.from({ length: 10_001 }, () => idOf(PNG)))).toMatchObject({ status: 413 })
})

test('a picture whose event was lost by a kill between the two is told when it is asked for', async () => {
  const id = idOf(PNG)
  await world.blobs.put(`images/${id.slice(0, 2)}/${id}`, PNG)
  expect((await missing([id])).body).toEqual({ missing: [] })
  await missing([id])
  const records = await world.records()
  expect(records.map(({ key }) => key)).toEqual([id])
  expect(readEvent(records[0]?.value ?? null, records[0]?.headers)).toMatchObject({
    data: { media_type: 'image/png', bytes: PNG.length },
  })
})

test('the same picture from many at once is kept once', async () => {
  const statuses = (await Promise.all(Array.from({ length: 10 }, () => put(WEBP, 'image/webp')))).map(
    ({ status }) => status,
  )
  expect(statuses.filter((status) => status === 201)).toHaveLength(1)
  expect(statuses.every((status) => status === 200 || status === 201)).toBe(true)
})
