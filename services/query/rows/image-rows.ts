/** What is known of images, by id. */
import { type Kysely, sql } from 'kysely'
import type { Database, Row } from '#schemas/tables.ts'

/** The most images that one answer describes. */
const IMAGES_MAX = 1000

/** Where the bytes of an image are read. */
function imageUrl(publicUrl: string, imageId: string): string {
  return `${publicUrl}/v1/images/${imageId}`
}

/** What the store knows of an image. */
export type KnownImage = Row<'images'>

/** A row for each id, in their order; ids that nobody described are not stored. */
export function imageAnswers(
  imageIds: readonly string[],
  known: readonly KnownImage[],
  publicUrl: string,
): Record<string, unknown>[] {
  const byId = new Map(known.map((row) => [row.image_id, row]))
  return imageIds.slice(0, IMAGES_MAX).map((imageId) => {
    const row = byId.get(imageId)
    return {
      image_id: imageId,
      stored: row?.stored ?? false,
      url: row?.stored === true ? imageUrl(publicUrl, imageId) : null,
      media_type: row?.media_type ?? null,
      bytes: row?.bytes ?? null,
      width: row?.width ?? null,
      height: row?.height ?? null,
      role: row?.role ?? null,
      parent_image_id: row?.parent_image_id ?? null,
    }
  })
}

/** The same, with what is known read from the store. */
export async function imageRows(
  db: Kysely<Database>,
  imageIds: readonly string[],
  publicUrl: string,
): Promise<Record<string, unknown>[]> {
  const ids = imageIds.slice(0, IMAGES_MAX)
  if (ids.length === 0) return []
  const rows = await db
    .selectFrom('images')
    .selectAll()
    .where(sql<boolean>`image_id in (${sql.join(ids.map((id) => sql`${id}::text`))})`)
    .execute()
  return imageAnswers(ids, rows, publicUrl)
}
