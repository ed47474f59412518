/** Chat messages as the lake and the training sets hold them: the content always text, images by hash beside it. */
import type { Message } from '#schemas/messages.ts'

/** A message of the lake. Its fields are those of MESSAGE_TYPE in schemas/lake.ts. */
export interface MessageRow {
  readonly role: string
  readonly content: string | null
  /** The content as it was sent, as JSON text, where it was no text. */
  readonly content_parts: string | null
  readonly tool_calls: string | null
  readonly tool_call_id: string | null
  readonly name: string | null
  readonly images: readonly string[] | null
}

/** What stands in a text for an image. */
const IMAGE_MARK = '<image>'

/** A value as JSON text; null where there is none. */
export function jsonText(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value)
}

interface Part {
  readonly text: string
  /** The hash of the image that the part shows, where it names one. */
  readonly imageId?: string
}

function readPart(part: unknown): Part {
  if (typeof part === 'string') return { text: part }
  if (typeof part !== 'object' || part === null) return { text: '' }
  const { type, text, image_id: imageId } = part as { type?: unknown; text?: unknown; image_id?: unknown }
  if (typeof imageId === 'string') return { text: IMAGE_MARK, imageId }
  if (typeof text === 'string') return { text }
  return { text: typeof type === 'string' && type.startsWith('image') ? IMAGE_MARK : '' }
}

/**
 * A message as a row. A list of parts becomes one text (image parts as `<image>`), the images that parts name follow
 * those of the message's own list unless they stand there already, and the list is kept in `content_parts`.
 */
export function messageRow(message: Message): MessageRow {
  const { content, images = null } = message
  const row = {
    role: message.role,
    tool_calls: jsonText(message.tool_calls),
    tool_call_id: message.tool_call_id ?? null,
    name: message.name ?? null,
  }
  if (typeof content === 'string') return { ...row, content, content_parts: null, images }
  if (content === undefined || content === null) return { ...row, content: null, content_parts: null, images }
  if (!Array.isArray(content))
    return { ...row, content: JSON.stringify(content), content_parts: JSON.stringify(content), images }
  const parts = content.map(readPart)
  const shown = parts.flatMap(({ imageId }) =>
    imageId === undefined || images?.includes(imageId) === true ? [] : [imageId],
  )
  return {
    ...row,
    content: parts.map(({ text }) => text).join(''),
    content_parts: JSON.stringify(content),
    images: shown.length === 0 ? images : [...(images ?? []), ...shown],
  }
}

/** The messages of an observation: a bare string is short for one tool message. Null where there was no observation. */
export function observationRows(observation: string | readonly Message[] | null | undefined): MessageRow[] | null {
  if (observation === undefined || observation === null) return null
  return typeof observation === 'string'
    ? [messageRow({ role: 'tool', content: observation })]
    : observation.map(messageRow)
}
