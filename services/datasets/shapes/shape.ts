/** A shape: how a conversation is written for one kind of trainer, as SQL over its messages. */

/** How messages are written. */
export const SHAPES = ['openai', 'sharegpt', 'swift', 'verl', 'internvl', 'raw'] as const

export type Shape = (typeof SHAPES)[number]

/** Columns that a layer of SQL adds; later layers may use those of earlier ones. */
export type Layer = Readonly<Record<string, string>>

/** What a shape must not be asked to express: the first that holds leaves the row out and counts it. */
export type Fault = readonly [reason: string, sql: string]

/**
 * A conversation in one shape. SQL looks at `w`: `messages` (as OpenAI has them), `loss_mask`, `images`, `tools`, and
 * with `parts` also `message_images` (for each message) and `texts` (for each message what stands in it as text, the
 * calls included; null where the text does not hold the calls).
 */
export interface TalkShape {
  readonly description: string
  /** Whether it looks at `message_images` and `texts`. */
  readonly parts: boolean
  /** Names that its columns and faults are made of. */
  readonly layers: readonly Layer[]
  /** Its columns: type and SQL. */
  readonly columns: Readonly<Record<string, readonly [type: string, sql: string]>>
  readonly faults: readonly Fault[]
}
