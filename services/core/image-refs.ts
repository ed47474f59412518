/** Finds the images that an event refers to. */
import type { Data } from '#schemas/events/define.ts'
import type { ToolCall } from '#schemas/messages.ts'

const HASH = /^[0-9a-f]{64}$/

function partImages(content: unknown): string[] {
  if (!Array.isArray(content)) return []
  return content.flatMap((part: unknown) => {
    const id = typeof part === 'object' && part !== null ? (part as { image_id?: unknown }).image_id : undefined
    return typeof id === 'string' && HASH.test(id) ? [id] : []
  })
}

/** The ids of the images that messages show, in order: parts of the content first, then the list of the message. */
export function messageImages(message: { content?: unknown; images?: readonly string[] | null | undefined }): string[] {
  return [...partImages(message.content), ...(message.images ?? [])]
}

/** The ids of all images that the data of a step or a start refers to, in order of appearance. */
export function imagesOf(data: Data): string[] {
  const found: string[] = [...((data['images'] ?? []) as string[])]
  for (const field of ['prompt', 'observation']) {
    const messages = data[field]
    if (Array.isArray(messages))
      for (const message of messages) found.push(...messageImages(message as { content?: unknown }))
  }
  for (const call of (data['tool_calls'] ?? []) as ToolCall[]) found.push(...(call.output_image_ids ?? []))
  return found
}
