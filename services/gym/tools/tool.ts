import type { TSchema } from 'typebox'
import type { Box } from '#services/gym/items/item.ts'

/** A decoded picture: RGBA, row by row, 4 bytes a pixel. */
export type Pixels = { readonly width: number; readonly height: number; readonly data: Uint8Array }

/** Text that was read in a picture. Confidence is 0 to 1. */
export type TextRegion = { readonly text: string; readonly box: Box; readonly confidence: number }

/** Reads text in a picture; `regions` limits it to these boxes, `digits` to figures and their signs. */
export type ReadText = (
  pixels: Pixels,
  options?: { readonly regions?: readonly Box[]; readonly digits?: boolean },
) => Promise<readonly TextRegion[]>

/** What a tool is asked. It sees the pictures and the words of the question, never the item, its scene or its answer. */
export type ToolRequest = {
  readonly task: string
  readonly arguments: Readonly<Record<string, unknown>>
  readonly images: readonly Pixels[]
  readonly question: string
  readonly choices: readonly string[]
}

/** What a tool says: words for the policy, and the same as JSON that fits the tool's output schema. */
export type ToolOutput = {
  readonly text: string
  readonly output: Readonly<Record<string, unknown>>
  /** Pictures that it made, such as an enlarged part. */
  readonly images?: readonly Pixels[]
}

/** A tool that runs here, from pixels; called in a worker that can be killed. Throws ToolFailure for what it cannot do. */
export type LocalTool = (request: ToolRequest, readText: ReadText) => Promise<ToolOutput>

/** A failure that the policy is told of: `error_type` as in the released environment (NoImageError, InvalidInput …). */
export class ToolFailure extends Error {
  readonly error_type: string
  constructor(error_type: string, message: string) {
    super(message)
    this.name = 'ToolFailure'
    this.error_type = error_type
  }
}

export type ToolTask = {
  readonly description: string
  /** Where a tool has tasks in several subsets: that of this one. */
  readonly subset?: string
  /** JSON Schema of the arguments, unknown names refused. */
  readonly arguments: TSchema
  /** JSON Schema of `ToolOutput.output`. */
  readonly output: TSchema
}

/** One tool of the registry, local or remote. */
export type ToolDefinition = {
  readonly name: string
  readonly aliases: readonly string[]
  readonly family: 'Perception' | 'Chart Understanding' | 'Diagram Formalization' | 'Math Solvers'
  /** One of the 12 subsets of the paper, such as ChartToTable. */
  readonly subset: string
  readonly description: string
  readonly tasks: Readonly<Record<string, ToolTask>>
  readonly default_task: string
  readonly timeout_ms: number
  readonly concurrency: number
  /** How often a failed call of a remote tool is tried again. */
  readonly retries: number
  /** Where it runs: in a worker here, or at an address that the configuration names. */
  readonly runs: 'local' | 'remote'
}
