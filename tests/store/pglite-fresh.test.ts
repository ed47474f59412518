import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshPglite } from '#services/store/pglite-fresh.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-fresh-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const kept = async (): Promise<string[]> => (await readdir(join(folder, 'kept'))).toSorted()

/** Opens a new database, uses it, and says which relations it holds. */
async function relations(dataDir: string): Promise<unknown> {
  const pglite = await freshPglite(dataDir, join(folder, 'kept'))
  await pglite.exec('create table there (id int primary key); insert into there values (1); drop table there')
  const { rows } = await pglite.query('select relname from pg_class order by 1')
  await pglite.close()
  return rows
}

test('an unpacked database is the one that Postgres makes, in memory and in a folder', async () => {
  const first = await relations('memory://')
  const [file = ''] = await kept()
  expect(file).toMatch(/^pglite-\d+\.\d+\.\d+\.tar$/)
  const bytes = await readFile(join(folder, 'kept', file))
  expect(await relations('memory://')).toEqual(first)
  expect(await relations(join(folder, 'pg'))).toEqual(first)
  expect((await readdir(folder)).toSorted()).toEqual(['kept', 'pg'])
  expect((await readFile(join(folder, 'kept', file))).equals(bytes), 'no use changes what is kept').toBe(true)
})

test('kept files that are cut, or of another version, are made again', async () => {
  const whole = await relations('memory://')
  const [file = ''] = await kept()
  const { size } = await stat(join(folder, 'kept', file))
  await truncate(join(folder, 'kept', file), size / 2)
  await writeFile(join(folder, 'kept', 'pglite-0.0.1.tar'), 'older')
  expect(await relations(join(folder, 'of-cut'))).toEqual(whole)
  expect(await kept()).toEqual([file])
  expect((await stat(join(folder, 'kept', file))).size).toBe(size)
})

test('where nothing can be kept the database is there all the same', async () => {
  await rm(join(folder, 'kept'), { recursive: true })
  await writeFile(join(folder, 'kept'), 'a file in the place of the folder')
  await expect(relations('memory://')).resolves.not.toHaveLength(0)
})
