import { mkdir, mkdtemp, readdir, readlink, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Problem } from '#services/problem.ts'
import { directoryBlobs } from '#services/blobs/directory.ts'
import { diskProblem } from '#services/blobs/disk-problem.ts'
import { blobsContract } from '#tests/contract/blobs.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-blobs-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

blobsContract('a folder', () => directoryBlobs({ folder: join(folder, 'deep/blobs') }))

describe('blobs in a folder', () => {
  test.skipIf(process.platform !== 'linux')(
    'a stream that is cancelled closes its file (seen in /proc, so Linux only)',
    async () => {
      const blobs = await directoryBlobs({ folder })
      await blobs.put('long', new Uint8Array(4_000_000))
      const path = await blobs.localPath('long')
      const reader = (await blobs.stream('long')).getReader()
      expect((await reader.read()).value?.length).toBeGreaterThan(0)
      expect(await openFiles()).toContain(path)
      await reader.cancel()
      expect(await openFiles()).not.toContain(path)
    },
  )

  test.skipIf(process.platform !== 'linux')(
    'a stream that nobody reads holds no file (seen in /proc, so Linux only)',
    async () => {
      const blobs = await directoryBlobs({ folder })
      await blobs.put('unread', new Uint8Array(1000))
      const unread = await blobs.stream('unread')
      expect(await openFiles()).not.toContain(await blobs.localPath('unread'))
      await unread.cancel()
    },
  )

  test('opening removes what dead processes left, and spares uploads under way', async () => {
    const incoming = join(folder, '~incoming')
    await mkdir(incoming, { recursive: true })
    const old = `${process.pid}-old`
    await Promise.all(
      ['999999999-dead', `${process.pid}-alive`, old].map((name) => writeFile(join(incoming, name), 'x')),
    )
    await utimes(join(incoming, old), 0, 0)
    await directoryBlobs({ folder })
    expect(await readdir(incoming)).toEqual([`${process.pid}-alive`])
  })

  test('leaves nothing behind in the folder for uploads', async () => {
    const blobs = await directoryBlobs({ folder })
    await blobs.put('a', new Uint8Array(3))
    await blobs.put('a', new Uint8Array(3), { ifAbsent: true })
    await expect(blobs.put('b', { file: join(folder, 'nowhere') })).rejects.toThrow()
    expect(await readdir(join(folder, '~incoming'))).toEqual([])
  })

  test('a full disk is unavailable, with what to do', () => {
    const problem = diskProblem(Object.assign(new Error('write'), { code: 'ENOSPC' }), 'a folder')
    expect(problem).toBeInstanceOf(Problem)
    expect(problem).toMatchObject({ code: 'unavailable', hint: expect.stringContaining('space') })
    const other = new TypeError('mine')
    expect(diskProblem(other, 'a folder')).toBe(other)
  })
})

async function openFiles(): Promise<string[]> {
  const links = await readdir('/proc/self/fd')
  return Promise.all(links.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
}
