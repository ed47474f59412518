/** The store on real servers, 18 and 15. */
import { afterAll, beforeAll, describe } from 'vitest'
import { silent } from '#services/logger.ts'
import { postgresStore } from '#services/store/postgres.ts'
import type { Store } from '#services/store/store.ts'
import { concurrentStoreContract, storeContract } from '#tests/contract/store.ts'
import { hasPostgres, type RealPostgres, realPostgres } from '#tests/support/real-postgres.ts'

for (const version of ['18', '15']) {
  describe.skipIf(!hasPostgres(version))(`Postgres ${version}${hasPostgres(version) ? '' : ' (not installed)'}`, () => {
    let server: RealPostgres
    let databases = 0
    beforeAll(async () => {
      server = await realPostgres(version)
      await makeEmpty()
    }, 120_000)
    afterAll(() => server.stop())

    const makeEmpty = (): Promise<void> => server.makeDatabase(`store_${++databases}`)
    const open = (): Promise<Store> =>
      postgresStore({ url: server.url(`store_${databases}`, 'stepstore_owner'), logger: silent })

    storeContract(`Postgres ${version}`, { open })
    concurrentStoreContract(`Postgres ${version}`, { makeEmpty, open })
  })
}
