import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshFilesFolder, freshPglite } from '#services/store/pglite-fresh.ts'

let folder = ''
/** The name of the kept files, and how long they are when they are whole. */
let file = ''
let size = 0
/** What a database holds that Postgres made, where the kept files were cut. */
let made: unknown
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-fresh-'))
  // What this installation keeps, made where there is none yet.
  await (await freshPglite('memory://')).close()
  const [installed = ''] = (await readdir(freshFilesFolder)).filter((name) => /^pglite-.*\.tar$/.test(name))
  file = installed
  await mkdir(join(folder, 'kept'))
  await copyFile(join(freshFilesFolder, file), join(folder, 'kept', file))
  ;({ size } = await stat(join(folder, 'kept', file)))
  await truncate(join(folder, 'kept', file), size / 2)
  await writeFile(join(folder, 'kept', 'pglite-0.0.1.tar'), 'older')
  made = await relations(join(folder, 'of-cut'))
}, 60_000)
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

test('kept files that are cut, or of another version, are made again', async () => {
  expect(file).toMatch(/^pglite-\d+\.\d+\.\d+\.tar$/)
  expect(await kept()).toEqual([file])
  expect((await stat(join(folder, 'kept', file))).size).toBe(size)
})

test('an unpacked database is the one that Postgres makes, in memory and in a folder', async () => {
  const bytes = await readFile(join(folder, 'kept', file))
  expect(await relations('memory://')).toEqual(made)
  expect(await relations(join(folder, 'pg'))).toEqual(made)
  expect((await readdir(folder)).toSorted()).toEqual(['kept', 'of-cut', 'pg'])
  expect((await readFile(join(folder, 'kept', file))).equals(bytes), 'no use changes what is kept').toBe(true)
})

test('where nothing can be kept the database is there all the same, and holds what the unpacked ones do', async () => {
  await rm(join(folder, 'kept'), { recursive: true })
  await writeFile(join(folder, 'kept'), 'a file in the place of the folder')
  expect(made).not.toHaveLength(0)
  expect(await relations('memory://')).toEqual(made)
})
