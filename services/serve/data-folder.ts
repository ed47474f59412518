/** The data folder: its format, and the parts that lie in it. */
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Problem } from '#services/problem.ts'

/** The format of the data folder that this version writes. */
export const DATA_FORMAT = 1

/**
 * Makes the data folder where there is none and notes its format. Throws `newer_data` where a newer version wrote it, and
 * `unavailable` where it cannot be written.
 */
export async function openDataFolder(folder: string): Promise<void> {
  const file = join(folder, 'format.json')
  try {
    await mkdir(folder, { recursive: true })
    const format = await dataFormat(folder)
    if (format !== undefined) return
    const handle = await open(`${file}.new`, 'w')
    await handle.writeFile(`${JSON.stringify({ version: DATA_FORMAT })}\n`)
    await handle.sync()
    await handle.close()
    await rename(`${file}.new`, file)
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem(
      'unavailable',
      `the data folder ${folder} cannot be written (${error instanceof Error ? error.message : String(error)})`,
      {
        hint: 'give this user the right to write it, free space on its disk, or set DATA_DIR to another folder',
        cause: error,
      },
    )
  }
}

/** The format of a data folder, or undefined where there is none. Throws `newer_data` and `corrupt`. */
export async function dataFormat(folder: string): Promise<number | undefined> {
  const text = await readFile(join(folder, 'format.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const version = versionIn(text)
  if (version === undefined) {
    throw new Problem('corrupt', `${join(folder, 'format.json')} does not say which format the folder has`, {
      hint: `if the folder is Stepstore's and of this version, write {"version": ${DATA_FORMAT}} into that file`,
    })
  }
  if (version > DATA_FORMAT) {
    throw new Problem(
      'newer_data',
      `the data folder ${folder} has format ${version}; this version knows up to ${DATA_FORMAT}`,
      {
        hint: 'start the newer version that wrote it, or set DATA_DIR to another folder',
      },
    )
  }
  return version
}

function versionIn(text: string): number | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined
    return typeof version === 'number' && Number.isSafeInteger(version) && version > 0 ? version : undefined
  } catch {
    return undefined
  }
}
