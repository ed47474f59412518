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
  it('lets a second opener know who holds it, and is free after it is given back', () => {
    const unlock = lockFolder(folder, 'first')
    expect(() => lockFolder(folder, 'second')).toThrow(expect.objectContaining({ code: 'store_in_use', message: expect.stringContaining(String(process.pid)) as unknown }))
    unlock()
    lockFolder(folder, 'second')()
  })

  it('is taken over from a process that is gone, also where its pid is in use again', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    await new Promise((resolve) => child.once('exit', resolve))
    writeFileSync(join(folder, 'lock.json'), JSON.stringify({ pid: child.pid, started: '1', program: 'gone' }))
    lockFolder(folder, 'next')()
    writeFileSync(join(folder, 'lock.json'), JSON.stringify({ pid: process.pid, started: '1', program: 'an older process with our pid' }))
    lockFolder(folder, 'next')()
    writeFileSync(join(folder, 'lock.json'), 'half a li')
    lockFolder(folder, 'next')()
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
  it('cannot be opened twice, keeps its rows over a close, and starts again when its files are spoilt', { timeout: 120_000 }, async () => {
    const store = await pgliteStore({ folder, logger: silent })
    await expect(pgliteStore({ folder, logger: silent })).rejects.toMatchObject({ code: 'store_in_use' })
    await store.db.insertInto('meta').values({ name: 'kept', value: 'yes' }).execute()
    await store.close()
    const again = await pgliteStore({ folder, logger: silent })
    expect(await again.db.selectFrom('meta').select('value').where('name', '=', 'kept').executeTakeFirst()).toEqual({ value: 'yes' })
    await again.close()
    writeFileSync(join(folder, 'pg', 'global', 'pg_control'), 'spoilt')
    const doubts: string[] = []
    const third = await pgliteStore({ folder, logger: silent, onDoubt: (reason) => doubts.push(reason) })
    expect(doubts).toEqual(['its files could not be opened'])
    expect(await third.db.selectFrom('meta').selectAll().execute()).toEqual([])
    await third.close()
  })
})
