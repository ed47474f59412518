/** What every adapter of the store port must do. An adapter's test file calls this with a way to open a new, empty store. */
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Problem } from '#services/problem.ts'
import { moveCursor } from '#services/project/write.ts'
import type { CopyValue, Store } from '#services/store/store.ts'
import { deleteRows } from '#tests/support/lent-store.ts'

const VERDICT = [
  'partition',
  'offset',
  'verdict',
  'code',
  'message',
  'natural_key',
  'first_offset',
  'trajectory_id',
  'run_id',
] as const
const verdict = (offset: number, message: CopyValue = null): readonly CopyValue[] => [
  0,
  offset,
  'duplicate',
  null,
  message,
  null,
  null,
  null,
  null,
]

const PROJECTION = 'contract'
const START = { partition: 0, nextOffset: 0, epoch: 1, lastRecordHash: null }

async function makeCursor(store: Store): Promise<void> {
  await store.db
    .insertInto('cursors')
    .values({ projection: PROJECTION, partition: 0, next_offset: 0, epoch: 1, last_record_hash: null })
    .execute()
}

async function messages(store: Store): Promise<(string | null)[]> {
  const rows = await store.db.selectFrom('verdicts').select('message').orderBy('offset').execute()
  return rows.map(({ message }) => message)
}

/** What copies must bring back as it was. */
const ODD_TEXTS = [
  '',
  ' ',
  'a,b',
  '"',
  '""',
  'a "quoted" word',
  'two\nlines',
  'carriage\r\nreturn',
  '\\',
  '\\.',
  'a\n\\.\nb',
  '\\N',
  'NULL',
  'null',
  '\t',
  'ü 漢字 🦄',
  '{"a": [1, null]}',
  '\u0001',
  'x'.repeat(200_000),
]

/** `open` opens a store that nobody used before, and the same one again after it was closed. */
export function storeContract(name: string, { open }: { readonly open: () => Promise<Store> }): void {
  describe(`store: ${name}`, () => {
    let store: Store
    // To make or open one takes up to a second of processor, to empty one does not.
    beforeAll(async () => {
      store = await open()
    }, 60_000)
    beforeEach(() => deleteRows(store))
    afterAll(() => store.close())

    test('what a transaction wrote is there once it is over, and gives its result', async () => {
      const result = await store.transaction(async ({ db, copyIn }) => {
        await db.insertInto('meta').values({ name: 'a', value: '1' }).execute()
        await copyIn('verdicts', VERDICT, [verdict(1, 'copied')])
        return 'result'
      })
      expect(result).toBe('result')
      expect(await store.db.selectFrom('meta').selectAll().execute()).toEqual([{ name: 'a', value: '1' }])
      expect(await messages(store)).toEqual(['copied'])
    })

    test('a read of the store from inside a transaction is answered, also where there is one connection', async () => {
      const found = await store.transaction(() => store.db.selectFrom('meta').selectAll().execute())
      expect(found).toEqual([])
      expect(await store.db.selectFrom('meta').selectAll().execute()).toEqual([])
    })

    test('an exception takes back rows and copies, and is thrown on', async () => {
      const mine = new RangeError('mine')
      const failing = store.transaction(async ({ db, copyIn }) => {
        await db.insertInto('meta').values({ name: 'a', value: '1' }).execute()
        await copyIn('verdicts', VERDICT, [verdict(1)])
        throw mine
      })
      await expect(failing).rejects.toBe(mine)
      expect(await store.db.selectFrom('meta').selectAll().execute()).toEqual([])
      expect(await messages(store)).toEqual([])
    })

    test('a statement that fails takes the transaction with it, even where its error is swallowed', async () => {
      const failing = store.transaction(async ({ db }) => {
        await db.insertInto('meta').values({ name: 'a', value: '1' }).execute()
        await sql`select 1 / 0`.execute(db).catch(() => undefined)
      })
      await expect(failing).rejects.toThrow()
      expect(await store.db.selectFrom('meta').selectAll().execute()).toEqual([])
    })

    test('a transaction sees its own rows and copies', async () => {
      await store.transaction(async ({ db, copyIn }) => {
        await copyIn('verdicts', VERDICT, [verdict(1, 'copied')])
        expect(await db.selectFrom('verdicts').select('message').execute()).toEqual([{ message: 'copied' }])
      })
    })

    test('copies bring back every value as it was', async () => {
      await store.transaction(({ copyIn }) =>
        copyIn(
          'verdicts',
          VERDICT,
          ODD_TEXTS.map((text, index) => verdict(index, text)),
        ),
      )
      expect(await messages(store)).toEqual(ODD_TEXTS)
      await store.transaction(({ copyIn }) =>
        copyIn(
          'images',
          ['image_id', 'partition', 'first_offset', 'last_offset', 'registered_hash', 'media_type', 'bytes', 'stored'],
          [
            ['i', 3, Number.MAX_SAFE_INTEGER, -1, null, 'image/png', 0, true],
            ['j', 0, 0, 0, '', 'image/png', 0, false],
          ],
        ),
      )
      const rows = await store.db.selectFrom('images').selectAll().orderBy('image_id').execute()
      expect(rows).toMatchObject([
        { partition: 3, first_offset: Number.MAX_SAFE_INTEGER, last_offset: -1, registered_hash: null, stored: true },
        { registered_hash: '', stored: false },
      ])
    })

    test('NUL, which Postgres cannot hold, becomes U+FFFD in a copy', async () => {
      await store.transaction(({ copyIn }) => copyIn('verdicts', VERDICT, [verdict(1, 'a\0b')]))
      expect(await messages(store)).toEqual(['a\ufffdb'])
    })

    test('copies many rows, and none', async () => {
      await store.transaction(async ({ copyIn }) => {
        await copyIn('verdicts', VERDICT, [])
        await copyIn(
          'verdicts',
          VERDICT,
          Array.from({ length: 12_345 }, (_, index) => verdict(index, `m${index}`)),
        )
      })
      const all = await messages(store)
      expect(all).toHaveLength(12_345)
      expect(all[12_344]).toBe('m12344')
    })

    test('a copy of a key that is there throws, nothing of it stays, and the store goes on', async () => {
      await store.transaction(({ copyIn }) => copyIn('verdicts', VERDICT, [verdict(7, 'first')]))
      await expect(
        store.transaction(({ copyIn }) => copyIn('verdicts', VERDICT, [verdict(6), verdict(7, 'second'), verdict(8)])),
      ).rejects.toThrow(/verdicts_pkey/)
      expect(await messages(store)).toEqual(['first'])
    })

    test('rows that fail as they are made end the copy and the transaction, and the store goes on', async () => {
      const mine = new RangeError('mine')
      const failingRows = function* (): Iterable<readonly CopyValue[]> {
        for (let offset = 0; offset < 1_000; offset++) yield verdict(offset)
        throw mine
      }
      await expect(store.transaction(({ copyIn }) => copyIn('verdicts', VERDICT, failingRows()))).rejects.toBe(mine)
      expect(await messages(store)).toEqual([])
      await store.transaction(({ copyIn }) => copyIn('verdicts', VERDICT, [verdict(1, 'after')]))
      expect(await messages(store)).toEqual(['after'])
    })

    test('8-byte integers are numbers, counts too, and doubles come back to the bit', async () => {
      const values = [0.1, -0.1, 1e308, 5e-324, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
      const row = { run_id: 'r', substep: 0, name: 'loss', offset: Number.MAX_SAFE_INTEGER, content_hash: '' }
      await store.db
        .insertInto('metrics')
        .values(values.map((value, index) => ({ ...row, train_step: index, value })))
        .execute()
      const rows = await store.db.selectFrom('metrics').select(['offset', 'value']).orderBy('train_step').execute()
      expect(rows.map(({ value }) => value)).toEqual(values)
      expect(rows[0]?.offset).toBe(Number.MAX_SAFE_INTEGER)
      const counted = await sql<{ n: unknown }>`select count(*) as n from metrics`.execute(store.db)
      expect(counted.rows).toEqual([{ n: values.length }])
    })

    test('JSON columns come back as values', async () => {
      const codes = ['a', { b: [1, null, 'ü'] }]
      await store.db
        .insertInto('annotations')
        .values({
          trajectory_id: 't',
          annotation_id: 'a',
          offset: 0,
          content_hash: '',
          codes: JSON.stringify(codes),
          step_index: null,
          annotator: null,
          method: null,
          round: null,
          outcome: null,
        })
        .execute()
      expect(await store.db.selectFrom('annotations').select('codes').execute()).toEqual([{ codes }])
    })

    test('of many that move a cursor from the same place at once, exactly one does, and only its rows are there', async () => {
      await makeCursor(store)
      const results = await Promise.allSettled(
        Array.from({ length: 8 }, (_, worker) =>
          store.transaction(async (transaction) => {
            await moveCursor(transaction, PROJECTION, START, 10 + worker, null)
            await transaction.copyIn('verdicts', VERDICT, [verdict(100 + worker, `worker ${worker}`)])
          }),
        ),
      )
      const winners = results.flatMap(({ status }, worker) => (status === 'fulfilled' ? [worker] : []))
      expect(winners).toHaveLength(1)
      for (const result of results) {
        if (result.status === 'rejected')
          expect(['cursor_moved', 'conflict']).toContain(
            result.reason instanceof Problem ? result.reason.code : result.reason,
          )
      }
      expect(await store.db.selectFrom('cursors').select('next_offset').execute()).toEqual([
        { next_offset: 10 + (winners[0] ?? -1) },
      ])
      expect(await messages(store)).toEqual([`worker ${winners[0]}`])
    })

    test('an owner of an older epoch moves nothing', async () => {
      await makeCursor(store)
      await store.db.updateTable('cursors').set({ epoch: 2 }).execute()
      await expect(
        store.transaction((transaction) => moveCursor(transaction, PROJECTION, START, 10, null)),
      ).rejects.toMatchObject({ code: 'cursor_moved' })
      await store.transaction((transaction) => moveCursor(transaction, PROJECTION, { ...START, epoch: 2 }, 10, null))
      expect(await store.db.selectFrom('cursors').select(['next_offset', 'epoch']).execute()).toEqual([
        { next_offset: 10, epoch: 2 },
      ])
    })

    test('close lets the transaction under way end, refuses what comes later, and may be called again', async () => {
      const under = Promise.withResolvers<void>()
      const begun = Promise.withResolvers<void>()
      const underWay = store.transaction(async ({ db }) => {
        begun.resolve()
        await under.promise
        await db.insertInto('meta').values({ name: 'in', value: 'time' }).execute()
      })
      await begun.promise
      const closing = store.close()
      under.resolve()
      await underWay
      await closing
      await store.close()
      await expect(store.transaction(() => Promise.resolve())).rejects.toThrow()
      await expect(store.db.selectFrom('meta').selectAll().execute()).rejects.toThrow()
      store = await open()
      expect(await store.db.selectFrom('meta').selectAll().execute()).toEqual([{ name: 'in', value: 'time' }])
    })
  })
}

/** What adapters with more than one connection must do besides. `open` opens the same store once more. */
export function concurrentStoreContract(
  name: string,
  { makeEmpty, open }: { readonly makeEmpty: () => Promise<void>; readonly open: () => Promise<Store> },
): void {
  describe(`store with many users: ${name}`, () => {
    beforeEach(makeEmpty)

    test('ten that open an empty store at once all find its tables', async () => {
      const stores = await Promise.all(Array.from({ length: 10 }, open))
      expect(await Promise.all(stores.map(({ db }) => db.selectFrom('runs').selectAll().execute()))).toEqual(
        stores.map(() => []),
      )
      const done = await sql<{ number: number }>`select number from migrations`.execute(
        (stores[0] ?? (await open())).db,
      )
      expect(new Set(done.rows.map(({ number }) => number)).size).toBe(done.rows.length)
      await Promise.all(stores.map((store) => store.close()))
    })

    test('a transaction sees one state from its first statement on, whatever others commit', async () => {
      const [one, two] = [await open(), await open()]
      await one.db.insertInto('meta').values({ name: 'a', value: 'before' }).execute()
      await one.transaction(async ({ db }) => {
        const read = () => db.selectFrom('meta').select('value').executeTakeFirst()
        expect(await read()).toEqual({ value: 'before' })
        await two.db.updateTable('meta').set({ value: 'after' }).execute()
        expect(await read()).toEqual({ value: 'before' })
      })
      expect(await one.db.selectFrom('meta').select('value').executeTakeFirst()).toEqual({ value: 'after' })
      await Promise.all([one.close(), two.close()])
    })

    test('reads see what is committed while a transaction holds its rows', async () => {
      const store = await open()
      await makeCursor(store)
      await store.transaction(async (transaction) => {
        await moveCursor(transaction, PROJECTION, START, 10, null)
        expect(await store.db.selectFrom('cursors').select('next_offset').execute()).toEqual([{ next_offset: 0 }])
      })
      await store.close()
    })

    test('a worker that was held up and comes back finds its rows taken, and writes nothing', async () => {
      const [slow, fast] = [await open(), await open()]
      await makeCursor(slow)
      const late = slow.transaction(async (transaction) => {
        await transaction.db.selectFrom('cursors').selectAll().execute()
        await fast.transaction((other) => moveCursor(other, PROJECTION, START, 20, null))
        await moveCursor(transaction, PROJECTION, START, 10, null)
      })
      await expect(late).rejects.toMatchObject({ code: 'conflict' })
      expect(await slow.db.selectFrom('cursors').select('next_offset').execute()).toEqual([{ next_offset: 20 }])
      await Promise.all([slow.close(), fast.close()])
    })
  })
}
