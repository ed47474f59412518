/** Images in rows as bytes: read from blobs some rows at a time, so that no more than these are in memory. */
import { DuckDBBlobValue, type DuckDBConnection } from '@duckdb/node-api'
import { Problem } from '#services/problem.ts'
import type { JobContext } from './jobs.ts'

/** Where the bytes of an image lie. */
export const imageKey = (hash: string): string => `images/${hash.slice(0, 2)}/${hash}`

/** Rows whose images are put in at a time. */
const ROWS_AT_ONCE = 256
/** Images that are read at the same moment. */
const READS_AT_ONCE = 8

/** What a row names the file of an image: some readers go by the ending. */
export function imageName(name: string, bytes: Uint8Array): string {
  return `${name}.${imageEnding(bytes)}`
}

function imageEnding(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 12)).toString('latin1')
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'png'
  if (head.startsWith('\xff\xd8\xff')) return 'jpg'
  return head.startsWith('RIFF') && head.slice(8) === 'WEBP' ? 'webp' : 'bin'
}

/** The media type of an image, by its first bytes. */
export function imageMediaType(bytes: Uint8Array): string {
  const ending = imageEnding(bytes)
  return ending === 'bin' ? 'application/octet-stream' : `image/${ending === 'jpg' ? 'jpeg' : ending}`
}

/** The bytes of images; null for those that are not held. Throws where the job cannot read any. */
export async function imageBytes(
  context: JobContext,
  hashes: readonly string[],
): Promise<Map<string, Uint8Array | null>> {
  const { image } = context
  if (image === undefined) throw new Problem('internal', 'a job with images does not say where they lie')
  const wanted = [...new Set(hashes)]
  const found = new Map<string, Uint8Array | null>()
  const reading = async (): Promise<void> => {
    for (let hash = wanted.pop(); hash !== undefined; hash = wanted.pop()) {
      context.signal.throwIfAborted()
      found.set(hash, (await image(hash)) ?? null)
    }
  }
  await Promise.all(Array.from({ length: READS_AT_ONCE }, reading))
  return found
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

/**
 * Makes `embedded` of `rows`: the same columns in the same order, lists of hashes as lists of {bytes, path}. An image
 * whose bytes are not held has null bytes.
 */
export async function embedImages(
  connection: DuckDBConnection,
  { columns, images }: { readonly columns: readonly string[]; readonly images: readonly string[] },
  context: JobContext,
): Promise<void> {
  await connection.run(`CREATE TEMP TABLE image_bytes (hash VARCHAR, bytes BLOB, path VARCHAR)`)
  await connection.run(`CREATE TEMP TABLE numbered AS SELECT *, row_number() OVER () - 1 AS row_number FROM rows`)
  const first = images[0] ?? ''
  const select = columns.map((name) =>
    images.includes(name)
      ? `(CASE WHEN n.${quoted(name)} IS NOT NULL THEN coalesce(${quoted(`bytes of ${name}`)}.found, []) END) AS ${quoted(name)}`
      : `n.${quoted(name)}`,
  )
  const joins = images.map(
    (name) => `LEFT JOIN (
      SELECT row_number, list({bytes: b.bytes, path: b.path} ORDER BY place) AS found
      FROM (SELECT row_number, unnest(${quoted(name)}) AS hash, generate_subscripts(${quoted(name)}, 1) AS place FROM slice) u
      JOIN image_bytes b ON b.hash = u.hash GROUP BY row_number
    ) ${quoted(`bytes of ${name}`)} ON ${quoted(`bytes of ${name}`)}.row_number = n.row_number`,
  )
  const total = Number(
    (
      await connection.runAndReadAll(`SELECT count(${first === '' ? '*' : 'row_number'}) FROM numbered`)
    ).getRows()[0]?.[0] ?? 0,
  )
  const rows = `SELECT ${select.join(', ')} FROM slice n ${joins.join(' ')} ORDER BY n.row_number`
  for (let from = 0; from === 0 || from < total; from += ROWS_AT_ONCE) {
    await connection.run(
      `CREATE OR REPLACE TEMP TABLE slice AS SELECT * FROM numbered WHERE row_number >= ${from} AND row_number < ${from + ROWS_AT_ONCE}`,
    )
    await loadBytes(connection, images, context)
    await connection.run(from === 0 ? `CREATE TEMP TABLE embedded AS ${rows}` : `INSERT INTO embedded ${rows}`)
  }
}

/** Fills `image_bytes` with the images of `slice`. */
async function loadBytes(connection: DuckDBConnection, images: readonly string[], context: JobContext): Promise<void> {
  const all = images.map((name) => `SELECT unnest(${quoted(name)}) AS hash FROM slice`).join(' UNION ')
  const hashes = (await connection.runAndReadAll(`SELECT hash FROM (${all}) WHERE hash IS NOT NULL`)).getRows()
  const found = await imageBytes(
    context,
    hashes.map(([hash]) => String(hash)),
  )
  await connection.run('DELETE FROM image_bytes')
  const appender = await connection.createAppender('image_bytes')
  for (const [hash, bytes] of found) {
    appender.appendVarchar(hash)
    if (bytes === null) appender.appendNull()
    else appender.appendBlob(new DuckDBBlobValue(bytes).bytes)
    appender.appendVarchar(bytes === null ? hash : imageName(hash, bytes))
    appender.endRow()
  }
  appender.closeSync()
}
