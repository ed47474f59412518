import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silent } from '#services/logger.ts'
import { lmdbLog, type LmdbLog } from '#services/log/lmdb.ts'

let folder = ''
let log: LmdbLog
let openers: ChildProcess[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-openings-'))
  log = await lmdbLog({ folder, partitions: 1, pendingBytesMax: 1e8, clock: () => new Date(0), logger: silent })
})
afterEach(async () => {
  for (const opener of openers) {
    opener.disconnect()
    await once(opener, 'exit')
  }
  openers = []
  await log.close()
  await rm(folder, { recursive: true, force: true })
})

describe('a log that other processes open while it is written', () => {
  test('loses no acknowledged append', async () => {
    openers = [1, 2].map(() => fork(new URL('../support/log-opener.ts', import.meta.url), [folder]))
    await Promise.all(openers.map((opener) => once(opener, 'message')))
    let appending = true
    const stopped = (async () => {
      // An opener that is stopped anywhere in the middle goes on when others have written.
      for (let round = 0; round < 150; round++) {
        for (const opener of openers) opener.kill('SIGSTOP')
        await sleep(10)
        for (const opener of openers) opener.kill('SIGCONT')
        await sleep(round % 5)
      }
      appending = false
    })()
    let end = 0
    while (appending) {
      const record = { key: 'k', value: Buffer.from(String(end)), headers: {} }
      const offsets = await log.append([record])
      end += 1
      expect(offsets.get(0)).toBe(end)
    }
    await stopped
    const found: string[] = []
    while (found.length < end) {
      const records = await log.read(0, found.length, { recordsMax: 1000, bytesMax: 1e9 })
      expect(records.length).toBeGreaterThan(0)
      found.push(...records.map(({ value }) => Buffer.from(value ?? []).toString()))
    }
    expect(found).toEqual(Array.from({ length: end }, (_, n) => String(n)))
  })
})
