/** Opens what is imported: files, or standard input, which is put aside first since it can be read once only. */
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Problem } from '#services/problem.ts'
import type { Input } from './unit.ts'

const CHUNK_BYTES = 256 * 1024

/** A file. Throws `not_found` where it cannot be read. */
export async function fileInput(path: string): Promise<Input> {
  const info = await stat(path).catch((error: unknown) => {
    throw new Problem('not_found', `cannot read ${path}`, { hint: 'check the path', cause: error })
  })
  if (!info.isFile())
    throw new Problem('invalid', `${path} is no file`, { hint: 'name the files, such as folder/*.json' })
  return { name: path, bytes: info.size, open: () => createReadStream(path, { highWaterMark: CHUNK_BYTES }) }
}

/** Standard input, kept in a temporary file until `close`, so that it can be read twice and in constant memory. */
export async function streamInput(
  source: NodeJS.ReadableStream,
): Promise<{ input: Input; close: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'stepstore-import-'))
  const close = () => rm(folder, { recursive: true, force: true })
  try {
    const path = join(folder, 'input')
    await pipeline(source, createWriteStream(path, { mode: 0o600 }))
    return { input: { ...(await fileInput(path)), name: '-' }, close }
  } catch (error) {
    await close()
    throw error
  }
}
