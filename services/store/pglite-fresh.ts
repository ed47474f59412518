/** A new PGlite database, unpacked from one that was made before where there is one. */
import { openAsBlob, readFileSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PGlite } from '@electric-sql/pglite'

/** Where the files of an empty database are kept between starts: with the package that made them, so that they go with it. */
export const freshFilesFolder = join(packageFolder(), '..', '..', '.cache', 'stepstore')

/**
 * A new, empty database in `dataDir` (`memory://` or a folder that is not there). Postgres makes its own tables first, which
 * takes 2 to 3 s of processor; unpacking what the first start of this installation made takes 0.4 to 0.6 s. The files
 * bear the version of PGlite in their name. Where they cannot be read or written, the database is made as if there were none.
 * A folder appears whole or not at all: half a database, left by a kill, could open and lack a table.
 */
export async function freshPglite(dataDir: string, filesFolder = freshFilesFolder): Promise<PGlite> {
  if (dataDir.startsWith('memory:')) return made(dataDir, filesFolder)
  const beside = `${dataDir}.new`
  await rm(beside, { recursive: true, force: true })
  await (await made(beside, filesFolder)).close()
  await rename(beside, dataDir)
  return PGlite.create(dataDir)
}

async function made(dataDir: string, filesFolder: string): Promise<PGlite> {
  const file = join(filesFolder, `pglite-${packageVersion()}.tar`)
  try {
    return await PGlite.create({ dataDir, loadDataDir: await openAsBlob(file, { type: 'application/x-tar' }) })
  } catch {
    if (!dataDir.startsWith('memory:')) await rm(dataDir, { recursive: true, force: true })
    const pglite = await PGlite.create(dataDir)
    await keep(pglite, file).catch(() => {})
    return pglite
  }
}

/** Written beside its place and moved, so that nobody unpacks half of it; what an older version or a killed start left goes. */
async function keep(pglite: PGlite, file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const files = await pglite.dumpDataDir('none')
  const beside = `${file}.${process.pid}`
  await writeFile(beside, files.stream(), { flush: true })
  await rename(beside, file)
  for (const name of await readdir(dirname(file)))
    if (name.startsWith('pglite-') && join(dirname(file), name) !== file) await rm(join(dirname(file), name))
}

function packageFolder(): string {
  return dirname(dirname(fileURLToPath(import.meta.resolve('@electric-sql/pglite'))))
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8')) as { version: string }
  return version
}
