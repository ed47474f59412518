/** What goes to a worker of the tools and what comes back. */
import type { ToolOutput, ToolRequest } from './tool.ts'

/** One call of a local tool. Pictures are PNG bytes. */
export type ToolJob = Omit<ToolRequest, 'images'> & {
  readonly id: number
  readonly tool: string
  readonly images: readonly Uint8Array[]
}

/** What a tool said: words, JSON, and pictures as PNG bytes. */
export type ToolSaid = Omit<ToolOutput, 'images'> & { readonly images: readonly Uint8Array[] }

/** `failed`: the tool said that it cannot, or threw; the worker lives on. */
export type ToolMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'said'; readonly id: number; readonly said: ToolSaid }
  | { readonly kind: 'failed'; readonly id: number; readonly error_type: string; readonly message: string }
