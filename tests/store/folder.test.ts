/** The folder of the embedded store: one process at a time, and no trust in files that may lack writes. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockFolder } from '#services/folder-lock.ts'
import { silent } from '#services/logger.ts'
import { openUnsynced } from '#services/store/boot.ts'
import { pgliteStore } from '#services/store/pglite.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepstore-store-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('the lock of a folder', () => {
  it('tells a second opener who holds it, and is free after it is given back', () => {
    const unlock = lockFolder(folder, new Date())
    expect(() => lockFolder(folder, new Date())).toThrow(
      expect.objectContaining({
        code: 'store_in_use',
        message: expect.stringContaining(String(process.pid)) as unknown,
      }),
    )
    unlock()
    lockFolder(folder, new Date())()
  })

  it('is held against another process, and is free the moment that process is killed', async () => {
    const holder = spawn(process.execPath, [
      '--input-type=module',
      '-e',
      `import { lockFolder } from '#services/folder-lock.ts'; lockFolder(${JSON.stringify(folder)}, new Date()); console.log('held'); setInterval(() => {}, 1000)`,
    ])
    await new Promise((resolve) => holder.stdout.once('data', resolve))
    expect(() => lockFolder(folder, new Date())).toThrow(
      expect.objectContaining({ code: 'store_in_use', details: { pid: holder.pid } }),
    )
    const ended = new Promise((resolve) => holder.once('exit', resolve))
    holder.kill('SIGKILL')
    await ended
    lockFolder(folder, new Date())()
  })
})

describe('files that are not synced', () => {
  const file = () => join(folder, 'pg', 'data')
  const write = () => {
    mkdirSync(join(folder, 'pg'), { recursive: true })
    writeFileSync(file(), 'rows')
  }

  it('are kept in the same boot, and after a good close in another', () => {
    openUnsynced(folder, 'pg', 'boot-1')
    write()
    const again = openUnsynced(folder, 'pg', 'boot-1')
    expect(again.doubt).toBeUndefined()
    again.closeWell()
    expect(openUnsynced(folder, 'pg', 'boot-2').doubt).toBeUndefined()
    expect(readFileSync(file(), 'utf8')).toBe('rows')
  })

  it('are removed after another boot without a good close', () => {
    openUnsynced(folder, 'pg', 'boot-1')
    write()
    expect(openUnsynced(folder, 'pg', 'boot-2').doubt).toMatch(/machine went down/)
    expect(existsSync(file())).toBe(false)
  })
})

describe('the embedded store', () => {
  it(
    'cannot be opened twice, keeps its rows over a close, and starts again when its files are spoilt',
    { timeout: 120_000 },
    async () => {
      const store = await pgliteStore({ folder, clock: () => new Date(), logger: silent })
      await expect(pgliteStore({ folder, clock: () => new Date(), logger: silent })).rejects.toMatchObject({
        code: 'store_in_use',
      })
      await store.db.insertInto('meta').values({ name: 'kept', value: 'yes' }).execute()
      await store.close()
      const again = await pgliteStore({ folder, clock: () => new Date(), logger: silent })
      expect(await again.db.selectFrom('meta').select('value').where('name', '=', 'kept').executeTakeFirst()).toEqual({
        value: 'yes',
      })
      await again.close()
      writeFileSync(join(folder, 'pg', 'global', 'pg_control'), 'spoilt')
      const doubts: string[] = []
      const third = await pgliteStore({
        folder,
        clock: () => new Date(),
        logger: silent,
        onDoubt: (reason) => doubts.push(reason),
      })
      expect(doubts).toEqual(['its files could not be opened'])
      expect(await third.db.selectFrom('meta').selectAll().execute()).toEqual([])
      await third.close()
    },
  )
})
