import type { AnswerKey } from '#services/gym/loop/answer-check.ts'

/** The seven families of the paper (arXiv 2511.19773, 4.1), as its plots name them. */
export const FAMILIES = ['chart', 'geometry', 'geospatial', 'scientific', 'document', 'spatial', 'others'] as const
export type Family = (typeof FAMILIES)[number]

export type Split = 'train' | 'test'

/** `unseen` draws with fonts and styles that no tool was tuned on. */
export type Style = 'ordinary' | 'unseen'

/** [left, top, right, bottom] in pixels of the final picture; right and bottom are outside. */
export type Box = readonly [left: number, top: number, right: number, bottom: number]

/** Something that the answer rests on. Stored with the item, never shown to a policy or a tool. */
export type Evidence = { readonly what: string; readonly box: Box; readonly value?: string | number }

/** Which item is meant. The same request gives the same scene, question and picture, on every machine. */
export type ItemRequest = {
  readonly seed: number
  readonly split: Split
  readonly index: number
  /** 0 is the easiest; at most `levels - 1` of its kind. */
  readonly level: number
  readonly style: Style
}

/** One scene: its picture as SVG, a question, the typed answer, and what it rests on. */
export type Scene = {
  readonly svg: string
  readonly question: string
  readonly key: AnswerKey
  readonly evidence: readonly Evidence[]
  /** What the scene is, as data: kept in the item's metadata for study. */
  readonly scene: Readonly<Record<string, unknown>>
}

/** A kind of question of a family, after one of the paper's data sets. */
export type ItemKind = {
  /** Such as `chart/yes-no`: the family, a slash, a name. */
  readonly kind: string
  readonly family: Family
  /** The data set that it is made after, as ours: such as `stepstore-figureqa`. */
  readonly dataset: string
  /** The named parameters of each level, easiest first. */
  readonly levels: readonly Readonly<Record<string, number | string | boolean>>[]
  /** Draws a scene that is unique and solvable by construction; throws RangeError only for a level that is not. */
  make(request: ItemRequest): Scene
}
