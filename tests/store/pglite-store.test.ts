import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silent } from '#services/logger.ts'
import { pgliteStore } from '#services/store/pglite.ts'
import { storeContract } from '#tests/contract/store.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-pglite-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

storeContract('PGlite', { open: () => pgliteStore({ folder, clock: () => new Date(), logger: silent }) })

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
