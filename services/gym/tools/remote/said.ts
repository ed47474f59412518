/** What a remote tool said, as the output that its schema promises. */
import type { ToolDefinition, ToolOutput } from '#services/gym/tools/tool.ts'

/** The text inside the code fence that models like to put around JSON, or the text itself. */
function unfenced(text: string): string {
  return /^\s*```[a-z]*\n([\s\S]*?)\n?```\s*$/i.exec(text)?.[1] ?? text
}

/** A text that is a JSON object, as that; undefined for any other. */
export function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  const inner = unfenced(text).trim()
  if (!inner.startsWith('{')) return undefined
  try {
    return JSON.parse(inner) as Readonly<Record<string, unknown>>
  } catch {
    return undefined
  }
}

/**
 * Words as a tool's output. A JSON object is taken as it is, and the caller checks it against the schema; plain words go
 * into the one text that the schema asks for, where it asks for one, else under `text`.
 */
export function outputOf(text: string, definition: ToolDefinition, task: string): ToolOutput {
  const output = objectIn(text) ?? { [wordsField(definition.tasks[task]?.output) ?? 'text']: text }
  return { text, output }
}

/** The only property of a schema that is needed and a text; of schemas that exclude each other, that of the last. */
function wordsField(schema: unknown): string | undefined {
  const { anyOf } = (schema ?? {}) as { anyOf?: readonly unknown[] }
  if (anyOf !== undefined) return wordsField(anyOf.at(-1))
  const { properties, required } = (schema ?? {}) as {
    properties?: Readonly<Record<string, { readonly type?: unknown } | undefined>>
    required?: readonly string[]
  }
  const texts = (required ?? []).filter((name) => properties?.[name]?.type === 'string')
  return texts.length === 1 ? texts[0] : undefined
}
