import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { silent } from '#services/logger.ts'
import { pgliteStore } from '#services/store/pglite.ts'
import type { Store } from '#services/store/store.ts'
import { storeContract } from '#tests/contract/store.ts'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

const open = (folder: string): Promise<Store> => pgliteStore({ folder, clock: () => new Date(), logger: silent })

storeContract('PGlite', {
  openEmpty: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'stepstore-pglite-'))
    folders.push(folder)
    return open(folder)
  },
  reopen: () => open(folders.at(-1) ?? ''),
})

test('PGlite has one connection: a second transaction waits for the first, so the contract for many users is not asked of it', async () => {
  const store = await pgliteStore({ clock: () => new Date(), logger: silent })
  const order: string[] = []
  const first = store.transaction(async ({ db }) => {
    await db.selectFrom('meta').selectAll().execute()
    order.push('first')
  })
  const second = store.transaction(() => Promise.resolve(void order.push('second')))
  await Promise.all([first, second])
  expect(order).toEqual(['first', 'second'])
  await store.close()
})
