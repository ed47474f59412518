import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { gymEvent, type GymEvent } from '#services/gym/loop/event.ts'
import { openSpool, type Outlet, type Spool, type SpoolOptions } from '#services/gym/publish/spool.ts'

let folder: string
const spools: Spool[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spool-'))
})
afterEach(async () => {
  for (const spool of spools.splice(0)) await spool.close().catch(() => {})
  await rm(folder, { recursive: true, force: true })
})

const event = (name: string): GymEvent => gymEvent('run.finished', 0, { run_id: name, status: 'completed' })
const image = (letter: string) => ({ image_id: letter.repeat(64), bytes: Buffer.from(letter) })

/** An outlet that keeps what it is given, once its gate is open. */
function keeping() {
  const sent: string[] = []
  let open = true
  let opened = Promise.withResolvers<void>()
  const outlet: Outlet = {
    putImage: async (id, bytes) => {
      if (!open) await opened.promise
      sent.push(`image ${id[0] ?? ''} ${Buffer.from(bytes).toString()}`)
    },
    send: async (events) => {
      if (!open) await opened.promise
      for (const line of events) sent.push((JSON.parse(line.toString()) as { data: { run_id: string } }).data.run_id)
    },
  }
  return {
    outlet,
    sent,
    shut: () => {
      open = false
      opened = Promise.withResolvers<void>()
    },
    open: () => {
      open = true
      opened.resolve()
    },
  }
}

async function spool(outlet: Outlet, options: Partial<SpoolOptions> = {}): Promise<Spool> {
  const made = await openSpool({ folder, outlet, logger: () => {}, linger_ms: 1, ...options })
  spools.push(made)
  return made
}

describe('the spool', () => {
  it('sends events in their order, a picture before what comes after it and only once', async () => {
    const { outlet, sent } = keeping()
    const made = await spool(outlet)
    await made.add([event('a')])
    await made.add([event('b')], [image('x')])
    await made.add([event('c')], [image('x')])
    await made.flush()
    expect(sent.filter((name) => !name.startsWith('image'))).toEqual(['a', 'b', 'c'])
    expect(sent.filter((name) => name.startsWith('image'))).toEqual(['image x x'])
    expect(sent.indexOf('image x x')).toBeLessThan(sent.indexOf('b'))
    expect(made.pending()).toEqual({ bytes: 0, full: false })
  })

  it('waits for no network: what was added while the server is away goes when it is back', async () => {
    const { outlet, sent, shut, open } = keeping()
    const made = await spool(outlet)
    shut()
    for (let index = 0; index < 50; index++) await made.add([event(`e${index}`)])
    expect(sent).toEqual([])
    open()
    await made.flush()
    expect(sent).toEqual(Array.from({ length: 50 }, (_, index) => `e${index}`))
  })

  it('full, it slows down who adds, and goes on when there is room', async () => {
    const { outlet, sent, shut, open } = keeping()
    const made = await spool(outlet, { bytes_max: 2000 })
    shut()
    let added = 0
    const adding = (async () => {
      for (; added < 20; added++) await made.add([event(`e${added}`)])
    })()
    await expect.poll(() => made.pending().full).toBe(true)
    const stuck = added
    expect(stuck).toBeLessThan(10)
    open()
    await adding
    await made.flush()
    expect(sent).toHaveLength(20)
  })

  it('sends after a crash what it had taken before: whole lines only, over several files', async () => {
    const gone = keeping()
    gone.shut()
    const first = await spool(gone.outlet, { segment_bytes_max: 500 })
    for (let index = 0; index < 10; index++) await first.add([event(`e${index}`)], index === 5 ? [image('y')] : [])
    spools.length = 0
    const files = (await readdir(folder)).filter((name) => name.endsWith('.ndjson')).toSorted()
    expect(files.length).toBeGreaterThan(2)
    await appendFile(join(folder, files.at(-1) ?? ''), '{"half":')
    const { outlet, sent } = keeping()
    const second = await spool(outlet)
    await second.add([event('after')])
    await second.flush()
    const events = sent.filter((name) => !name.startsWith('image'))
    expect(events).toEqual([...Array.from({ length: 10 }, (_, index) => `e${index}`), 'after'])
    expect(sent).toContain('image y y')
    gone.open()
    await first.close()
  })

  it('does not send again what was sent, when it is opened again', async () => {
    const one = keeping()
    const first = await spool(one.outlet)
    await first.add([event('a'), event('b')])
    await first.flush()
    await first.close()
    const two = keeping()
    const second = await spool(two.outlet)
    await second.add([event('c')])
    await second.flush()
    expect([one.sent, two.sent]).toEqual([['a', 'b'], ['c']])
  })

  it('says why, where sending has failed for good', async () => {
    const outlet: Outlet = { putImage: async () => {}, send: async () => Promise.reject(new Error('refused')) }
    const made = await spool(outlet)
    await made.add([event('a')])
    expect(made.failure()).toBeNull()
    await expect(made.flush()).rejects.toThrow('refused')
    expect(made.failure()).toBe('refused')
    await expect(made.add([event('b')])).rejects.toThrow('refused')
  })
})
