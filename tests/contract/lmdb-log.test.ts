import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lmdbLog, type LmdbLog } from '#services/log/lmdb.ts'
import { chunkKey, lmdbLogReader, openFiles } from '#services/log/lmdb-reader.ts'
import type { Log, NewRecord } from '#services/log/log.ts'
import { silent } from '#services/logger.ts'
import { logContract } from './log.ts'

const ALL = { recordsMax: 100_000, bytesMax: 1e9 }
const HOLDER = new URL('../support/log-holder.ts', import.meta.url)
const LOOKER = new URL('../support/log-looker.ts', import.meta.url)

let folder = ''
const open4 = (options: { readonly partitions?: number; readonly pendingBytesMax?: number } = {}): Promise<LmdbLog> =>
  lmdbLog({ folder, partitions: 4, clock: () => new Date(), pendingBytesMax: 1e8, logger: silent, ...options })

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-log-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

logContract('lmdb', () => open4())

const record = (text: string): NewRecord => ({ key: 'k', value: Buffer.from(text) })

async function texts(log: Log, from = 0): Promise<string[]> {
  return (await log.read(log.partitionOf('k'), from, ALL)).map(({ value }) => Buffer.from(value ?? []).toString())
}

test('a log opened again has its identity, its records, and goes on where it ended', async () => {
  const first = await open4()
  await first.append([record('a'), record('b')])
  await first.close()
  const again = await open4()
  expect(again.id).toBe(first.id)
  expect([...(await again.append([record('c')])).values()]).toEqual([3])
  expect(await texts(again)).toEqual(['a', 'b', 'c'])
  await again.close()
})

test('two logs have two identities', async () => {
  const one = await open4()
  await one.close()
  await rm(folder, { recursive: true })
  const two = await open4()
  expect(two.id).not.toBe(one.id)
  await two.close()
})

test('another number of partitions is refused, and the log is free again afterwards', async () => {
  await (await open4()).close()
  await expect(open4({ partitions: 8 })).rejects.toMatchObject({
    code: 'partitions_changed',
    hint: expect.stringContaining('4 partitions'),
  })
  await (await open4()).close()
})

test('a second writer is refused and told who has the log, in this process', async () => {
  const log = await open4()
  await expect(open4()).rejects.toMatchObject({ code: 'store_in_use', details: { pid: process.pid } })
  await log.close()
  await (await open4()).close()
})

test('a second writer is refused while another process has the log, and takes over when that was killed', async () => {
  const holder = fork(HOLDER, [folder], { execArgv: [] })
  await once(holder, 'message')
  await expect(open4()).rejects.toMatchObject({ code: 'store_in_use', details: { pid: holder.pid } })
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  const log = await open4()
  expect(await texts(log)).toEqual(['held'])
  await log.close()
})

test('appends beyond the byte budget are refused, and those before them are kept', async () => {
  const log = await open4({ pendingBytesMax: 10_000 })
  const results = await Promise.allSettled(
    Array.from({ length: 5 }, (_, index) => log.append([record(`${index}${'x'.repeat(4000)}`)])),
  )
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected', 'rejected'])
  expect((results[2] as PromiseRejectedResult).reason).toMatchObject({ code: 'too_many', retryAfterSeconds: 1 })
  expect((await texts(log)).map((text) => text[0])).toEqual(['0', '1'])
  await log.append([record('later')])
  await log.close()
})

test('one append larger than the whole budget passes where nothing else waits', async () => {
  const log = await open4({ pendingBytesMax: 10 })
  await log.append([record('x'.repeat(100))])
  await log.close()
})

test('an append that was under way is finished by close, and later ones are refused', async () => {
  const log = await open4()
  const underWay = log.append([record('in time')])
  const closing = log.close()
  await expect(log.append([record('too late')])).rejects.toMatchObject({ code: 'unavailable' })
  await underWay
  await closing
  const again = await open4()
  expect(await texts(again)).toEqual(['in time'])
  await again.close()
})

test('a reader in another thread and one in another process see new records without opening again', async () => {
  const log = await open4()
  const ask = async (worker: { send(from: number): void; answer(): Promise<unknown[]> }): Promise<void> => {
    worker.send(0)
    expect((await worker.answer())[0]).toEqual([])
    await log.append([record('one'), record('two')])
    worker.send(0)
    expect((await worker.answer())[0]).toEqual(['one', 'two'])
  }
  const thread = new Worker(LOOKER, { workerData: folder, execArgv: [] })
  await ask({ send: (from) => thread.postMessage(from), answer: () => once(thread, 'message') })
  const child = fork(LOOKER, [folder], { execArgv: [] })
  child.send(2)
  expect((await once(child, 'message'))[0]).toEqual([])
  await log.append([record('three')])
  child.send(2)
  expect((await once(child, 'message'))[0]).toEqual(['three'])
  child.send(-1)
  thread.postMessage(-1)
  await Promise.all([once(child, 'exit'), once(thread, 'exit')])
  await log.append([record('four')])
  await log.close()
})

test('a reader does not append, and one of a folder without a log says so', async () => {
  await expect(lmdbLogReader({ folder })).rejects.toMatchObject({ code: 'unavailable' })
  const log = await open4()
  const reader = await lmdbLogReader({ folder })
  expect(reader.id).toBe(log.id)
  await expect(reader.append([record('x')])).rejects.toMatchObject({ code: 'conflict' })
  await reader.close()
  await log.append([record('still here')])
  await log.close()
})

test('a log continued after offsets never gives them out, for a reader too and after opening again', async () => {
  const log = await open4()
  const partition = log.partitionOf('k')
  await log.append([record('a')])
  await log.continueAfter(
    new Map([
      [partition, 100],
      [(partition + 1) % 4, 7],
    ]),
  )
  expect((await log.bounds())[partition]).toEqual({ start: 0, end: 100 })
  expect((await log.bounds())[(partition + 1) % 4]).toEqual({ start: 7, end: 7 })
  expect((await log.append([record('b')])).get(partition)).toBe(101)
  await log.close()
  const again = await open4()
  expect((await again.append([record('c')])).get(partition)).toBe(102)
  const reader = await lmdbLogReader({ folder })
  for (const side of [again, reader]) {
    expect((await side.read(partition, 0, ALL)).map(({ offset }) => offset)).toEqual([0, 100, 101])
    expect((await side.read(partition, 50, ALL)).map(({ offset }) => offset)).toEqual([100, 101])
    expect(await side.readOne(partition, 50)).toBeUndefined()
  }
  await again.continueAfter(new Map([[partition, 3]]))
  expect((await again.bounds())[partition]?.end).toBe(102)
  await reader.close()
  await again.close()
})

test('reading below the start of a partition is an error that says so', async () => {
  const log = await open4()
  const partition = log.partitionOf('k')
  await log.continueAfter(new Map([[partition, 5]]))
  await expect(texts(log, 4)).rejects.toMatchObject({ code: 'corrupt' })
  await log.append([record('five')])
  await expect(texts(log, 4)).rejects.toMatchObject({ code: 'corrupt' })
  expect(await texts(log, 5)).toEqual(['five'])
  await log.close()
})

test('a chunk that was taken away is found', async () => {
  const log = await open4()
  for (const text of ['a', 'b', 'c']) await log.append([record(text)])
  const partition = log.partitionOf('k')
  await log.close()
  const files = openFiles(folder, false)
  await files.chunks.remove(chunkKey(partition, 2))
  await files.root.close()
  const again = await open4()
  await expect(texts(again)).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining('offset 1') })
  expect(await texts(again, 2)).toEqual(['c'])
  expect(await again.readOne(partition, 1)).toBeUndefined()
  await again.close()
})

test('a log of a newer format is refused', async () => {
  await (await open4()).close()
  const files = openFiles(folder, false)
  await files.root.put('info', JSON.stringify({ format: 99, id: 'x', partitions: 4, holes: {} }))
  await files.root.close()
  await expect(open4()).rejects.toMatchObject({ code: 'newer_data' })
})

test('a flipped byte is found, and the other records stay readable', async () => {
  const log = await open4()
  await log.append([record('before')])
  await log.append([record(`needle${'n'.repeat(3000)}`)])
  await log.close()
  const file = join(folder, 'records', 'data.mdb')
  const at = (await readFile(file)).indexOf('needle')
  const handle = await open(file, 'r+')
  await handle.write('N', at)
  await handle.close()
  const again = await open4()
  const partition = again.partitionOf('k')
  await expect(texts(again)).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining('offset 1') })
  expect((await again.readOne(partition, 0))?.offset).toBe(0)
  await again.close()
})
