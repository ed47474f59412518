import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readEvent } from '#services/core/event-reader.ts'
import { parsePosition } from '#services/position.ts'
import { ingestWorld, type IngestWorld, postEvents, runStarted } from '#tests/support/ingest-world.ts'

const STRUCTURED = 'application/cloudevents+json'
const BATCH = 'application/cloudevents-batch+json'
const LINES = 'application/x-ndjson'

let world: IngestWorld
beforeEach(async () => {
  world = await ingestWorld()
})
afterEach(async () => {
  await world.close()
})

const kept = async (): Promise<string[]> =>
  (await world.records()).map(({ value }) => Buffer.from(value ?? []).toString()).toSorted()

describe('modes', () => {
  test('one structured event: 200, its bytes in the log as they were sent, the position in body and header', async () => {
    const odd = ` { "specversion":"1.0" ,"id":"a","source":"s","type":"run.started","data":{"run_id":"r\\u0041","kind":"rl","new_field":1.50} } `
    const { status, headers, body } = await postEvents(world, odd, { 'content-type': STRUCTURED })
    expect(status).toBe(200)
    expect(body).toEqual({ accepted: 1, position: headers.get('stepstore-position') })
    const partition = world.log.partitionOf('rA')
    expect(parsePosition(String(body['position']))).toEqual({ log: world.log.id, offsets: new Map([[partition, 1]]) })
    const record = await world.log.readOne(partition, 0)
    expect(record).toMatchObject({ key: 'rA', headers: { 'content-type': STRUCTURED } })
    expect(Buffer.from(record?.value ?? []).toString()).toBe(odd)
  })

  test('newline-delimited: empty lines and CRLF do not count, the last line may lack its newline', async () => {
    const { status, body } = await postEvents(world, `${runStarted('a')}\r\n\n  \n${runStarted('b')}`)
    expect([status, body['accepted']]).toEqual([200, 2])
    expect(await kept()).toEqual([runStarted('a'), runStarted('b')])
  })

  test('a batch is cut into the bytes of its elements', async () => {
    const tricky = runStarted('a', { config: { text: 'brackets ]}[{ "quoted\\" , and \\\\' } })
    const { status, body } = await postEvents(world, `[ ${tricky} ,\n${runStarted('b')}]`, {
      'content-type': `${BATCH}; charset=utf-8`,
    })
    expect([status, body['accepted']]).toEqual([200, 2])
    expect(await kept()).toEqual([tricky, runStarted('b')].toSorted())
  })

  test('a binary event as the CloudEvents SDKs send it', async () => {
    const data = '{"run_id":"r-ü","kind":"rl"}'
    const { status } = await postEvents(world, data, {
      'content-type': 'application/json; charset=utf-8',
      'ce-specversion': '1.0',
      'ce-id': 'e%201',
      'ce-source': '/sdk',
      'ce-type': 'run.started',
      'ce-time': '2026-11-23T03:00:00.000Z',
      'ce-partitionkey': 'r-%C3%BC',
    })
    expect(status).toBe(200)
    const [record] = await world.records()
    expect(record).toMatchObject({
      key: 'r-ü',
      headers: { 'content-type': 'application/json', ce_specversion: '1.0', ce_id: 'e 1', ce_partitionkey: 'r-ü' },
    })
    expect(Buffer.from(record?.value ?? []).toString()).toBe(data)
    expect(readEvent(record?.value ?? null, record?.headers)).toMatchObject({
      readable: true,
      type: 'run.started',
      id: 'e 1',
      data: { run_id: 'r-ü' },
    })
  })

  test.each([
    ['nothing', '', LINES],
    ['empty lines', '\n\n', LINES],
    ['an empty list', ' [ ] ', BATCH],
  ])('%s holds no events: 200, none accepted', async (_, body, type) => {
    expect(await postEvents(world, body, { 'content-type': type })).toMatchObject({
      status: 200,
      body: { accepted: 0 },
    })
  })

  test.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ] as const)('%s is decoded', async (coding, compress) => {
    const { status, body } = await postEvents(world, compress(`${runStarted('a')}\n${runStarted('b')}\n`), {
      'content-type': LINES,
      'content-encoding': coding,
    })
    expect([status, body['accepted']]).toEqual([200, 2])
  })

  test('an official SDK shape: a structured event with extension attributes and a null', async () => {
    const event = {
      id: 'x',
      time: '2026-11-23T03:00:00.123Z',
      type: 'run.started',
      source: '/sdk',
      specversion: '1.0',
      datacontenttype: 'application/json',
      subject: null,
      myext: 'kept',
      data: { run_id: 'r', kind: 'eval' },
    }
    expect(
      (
        await postEvents(world, JSON.stringify(event), {
          'content-type': `${STRUCTURED}; charset=utf-8`,
          accept: 'application/json, text/plain, */*',
        })
      ).status,
    ).toBe(200)
  })
})

describe('what cannot be read', () => {
  const event = (data: string, type = 'run.started'): string =>
    `{"specversion":"1.0","id":"bad","source":"s","type":"${type}","data":${data}}`
  const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`
  const cases: readonly (readonly [string, string | Buffer, string])[] = [
    ['malformed JSON', '{"a":}', 'malformed_json'],
    ['half a line', runStarted('half').slice(0, 40), 'malformed_json'],
    ['a wrong type', event('{"run_id":7,"kind":"rl"}'), 'invalid'],
    ['a missing field', event('{"kind":"rl"}'), 'missing_field'],
    ['an unknown event type', event('{"run_id":"r"}', 'run.startd'), 'unknown_type'],
    [
      'an internal event type',
      event(`{"image_id":"${'a'.repeat(64)}","media_type":"image/png","bytes":1}`, 'image.stored'),
      'internal_type',
    ],
    ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), 'invalid_utf8'],
    ['NaN', event('{"run_id":"r","kind":"rl","correct_threshold":NaN}'), 'malformed_json'],
    ['1e400', event('{"run_id":"r","kind":"rl","correct_threshold":1e400}'), 'not_finite'],
    ['a duplicate key', event('{"run_id":"r","run_id":"q","kind":"rl"}'), 'duplicate_key'],
    ['deep nesting', event(`{"run_id":"r","kind":"rl","config":${deep(5000)}}`), 'too_deep'],
    ['an id of 10 kB', event(`{"run_id":"${'x'.repeat(10_000)}","kind":"rl"}`), 'invalid'],
    ['an id with a newline', event('{"run_id":"a\\nb","kind":"rl"}'), 'invalid'],
    [
      'the year 0',
      `{"specversion":"1.0","id":"bad","source":"s","type":"run.started","time":"0000-01-01T00:00:00Z","data":{"run_id":"r","kind":"rl"}}`,
      'bad_time',
    ],
    ['a number', '42', 'invalid'],
  ]

  test.each(cases)(
    '%s: 207, said where it is, kept raw under the hash of its bytes, and the others count',
    async (_, bad, code) => {
      const raw = Buffer.from(bad)
      const body = Buffer.concat([
        Buffer.from(`${runStarted('before')}\n`),
        raw,
        Buffer.from(`\n${runStarted('after')}\n`),
      ])
      const reply = await postEvents(world, body)
      expect(reply.status).toBe(207)
      expect(reply.body['accepted']).toBe(2)
      expect(reply.body.quarantined).toHaveLength(1)
      expect(reply.body.quarantined?.[0]).toEqual({
        index: 1,
        code,
        message: expect.stringMatching(/.{10,} \(.{5,}\)$/s),
        pointer: expect.any(String),
      })
      const record = (await world.records()).find(({ key }) => key === createHash('sha256').update(raw).digest('hex'))
      expect(Buffer.from(record?.value ?? []).equals(raw)).toBe(true)
      expect(await kept()).toHaveLength(3)
    },
  )

  test('a bad line is named by its line in the body, empty ones counted', async () => {
    const reply = await postEvents(world, `${runStarted('a')}\n\n{"half\n${runStarted('b')}\n\n\n{"specversion": 7}\n`)
    const messages = reply.body.quarantined?.map(({ message }) => message)
    expect(messages).toEqual([expect.stringMatching(/^line 3: /), expect.stringMatching(/^line 7: /)])
    expect(messages?.join('')).not.toContain('line 1')
  })

  test('dates of the year 9999 and ids with slashes and quotes are fine', async () => {
    const good = `{"specversion":"1.0","id":"a/\\"b\\"/../c","source":"s","type":"run.started","time":"9999-12-31T23:59:59.999Z","data":{"run_id":"r/\\"q\\"'; drop","kind":"rl"}}`
    expect((await postEvents(world, good)).status).toBe(200)
  })

  test('a structured body that is no JSON is one unreadable event', async () => {
    expect(await postEvents(world, '{', { 'content-type': STRUCTURED })).toMatchObject({
      status: 207,
      body: { accepted: 0, quarantined: [{ index: 0, code: 'malformed_json' }] },
    })
  })

  test('NaN comes with the hint to send the string', async () => {
    const reply = await postEvents(
      world,
      '{"specversion":"1.0","id":"a","source":"s","type":"trajectory.scored","data":{"trajectory_id":"t","reward": NaN}}',
    )
    expect(reply.body.quarantined?.[0]?.message).toContain('"NaN"')
  })

  test('strict: one bad event and nothing is stored', async () => {
    const reply = await postEvents(world, `${runStarted('a')}\n{"bad\n${runStarted('b')}`, undefined, '?strict=true')
    expect(reply).toMatchObject({
      status: 422,
      body: { code: 'unreadable', unreadable: [{ index: 1, code: 'malformed_json' }] },
    })
    expect(await kept()).toEqual([])
    expect((await postEvents(world, `${runStarted('a')}\n${runStarted('b')}`, undefined, '?strict=true')).status).toBe(
      200,
    )
  })
})

describe('refused as a whole', () => {
  test.each([
    ['no list', '{"a":1}'],
    ['a list without an end', `[${runStarted('a')}`],
    ['a string without an end', `[{"a":"b]`],
    ['two commas', `[${runStarted('a')},,${runStarted('b')}]`],
    ['a comma at the end', `[${runStarted('a')},]`],
    ['something after the list', `[${runStarted('a')}] x`],
    ['a brace too many', `[${runStarted('a')}}]`],
    ['nothing', ''],
  ])('a batch that is %s: 400 and nothing stored', async (_, body) => {
    expect(await postEvents(world, body, { 'content-type': BATCH })).toMatchObject({
      status: 400,
      body: { code: 'bad_body', hint: expect.any(String) },
    })
    expect(await kept()).toEqual([])
  })

  test('an empty structured body: 400', async () => {
    expect(await postEvents(world, '', { 'content-type': STRUCTURED })).toMatchObject({
      status: 400,
      body: { code: 'bad_body' },
    })
  })

  test.each([
    [{ 'content-type': 'text/plain' }],
    [{ 'content-type': 'application/json' }],
    [{ 'content-type': `${LINES}; charset=latin1` }],
    [{ 'content-type': LINES, 'content-encoding': 'br' }],
    [
      {
        'content-type': 'application/xml',
        'ce-specversion': '1.0',
        'ce-id': '1',
        'ce-type': 'run.started',
        'ce-source': 's',
      },
    ],
  ])('%o: 415 and what is accepted', async (headers: Record<string, string>) => {
    const reply = await postEvents(world, runStarted('a'), headers)
    expect(reply.status).toBe(415)
    expect(reply.headers.get('content-type')).toBe('application/problem+json')
    expect(reply.body['hint']).toMatch(/application\/x-ndjson|gzip/)
  })

  test('an unknown parameter names the nearest one, a bad value what is taken', async () => {
    expect(await postEvents(world, runStarted('a'), undefined, '?stric=true')).toMatchObject({
      status: 400,
      body: { code: 'unknown_parameter', hint: 'did you mean strict?' },
    })
    expect(await postEvents(world, runStarted('a'), undefined, '?strict=yes')).toMatchObject({
      status: 400,
      body: { code: 'invalid_parameter' },
    })
    expect(await postEvents(world, runStarted('a'), undefined, '?strict=true&strict=true')).toMatchObject({
      status: 400,
      body: { code: 'invalid_parameter' },
    })
    expect(await kept()).toEqual([])
  })

  test('another method: 405 and the one to use', async () => {
    const reply = await fetch(`${world.url}/v1/events`)
    expect([reply.status, reply.headers.get('allow')]).toEqual([405, 'POST'])
  })

  test('more than 10,000 events: 413 and nothing stored', async () => {
    const lines = `${runStarted('a')}\n`.repeat(10_001)
    expect(await postEvents(world, lines)).toMatchObject({
      status: 413,
      body: { code: 'too_large', detail: expect.stringContaining('10001 events') },
    })
    expect(await kept()).toEqual([])
  })

  test('an event over 4 MiB: 413 saying which, and nothing stored', async () => {
    const reply = await postEvents(
      world,
      `${runStarted('a')}\n${runStarted('big', { config: { text: 'x'.repeat(4 * 1024 * 1024) } })}`,
    )
    expect(reply).toMatchObject({
      status: 413,
      body: { code: 'too_large', index: 1, detail: expect.stringContaining('event 1') },
    })
    expect(await kept()).toEqual([])
  })

  test('a body over 64 MiB, with and without its length said: 413, and the connection goes on', async () => {
    const body = Buffer.alloc(65 * 1024 * 1024, '\n')
    expect((await postEvents(world, body)).status).toBe(413)
    const chunked = await fetch(`${world.url}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': LINES },
      body: new Blob([body]).stream(),
      duplex: 'half',
    })
    expect(chunked.status).toBe(413)
    expect((await postEvents(world, runStarted('a'))).status).toBe(200)
  })

  test.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ] as const)('a %s bomb: 413, and no more memory than the limit', async (coding, compress) => {
    const bomb = compress(Buffer.alloc(256 * 1024 * 1024))
    const before = process.memoryUsage().rss
    expect(await postEvents(world, bomb, { 'content-type': LINES, 'content-encoding': coding })).toMatchObject({
      status: 413,
      body: { code: 'too_large' },
    })
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024)
  })

  test.each([
    ['cut short', gzipSync(runStarted('a')).subarray(0, 30)],
    ['no gzip at all', Buffer.from(runStarted('a'))],
  ])('a gzip body %s: 400', async (_, body) => {
    expect(await postEvents(world, body, { 'content-type': LINES, 'content-encoding': 'gzip' })).toMatchObject({
      status: 400,
      body: { code: 'bad_body' },
    })
  })

  test('a client that goes away in the middle of its body stores nothing, and its bytes are given back', async () => {
    const socket = connect(Number(new URL(world.url).port), '127.0.0.1')
    socket.write(
      `POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: ${LINES}\r\ncontent-length: 100000\r\n\r\n${runStarted('a')}\n`,
    )
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket.destroy()
    expect((await postEvents(world, runStarted('b'))).status).toBe(200)
    expect(await kept()).toEqual([runStarted('b')])
  })
})
