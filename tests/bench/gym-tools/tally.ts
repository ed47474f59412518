/** Counts of what a tool got right, one row for each thing that is measured. */
import type { Box, Family, ItemKind, Scene, Style } from '#services/gym/items/item.ts'
import type { Picture } from '#services/gym/picture/render.ts'
import type { Tools } from '#services/gym/tools/tools.ts'
import { renderedPng } from '#services/gym/picture/render.ts'

export type Share = { readonly right: number; readonly of: number }

/** What a row is of; `family` is 'all' where it is not of one family. */
export type Measured = { readonly tool: string; readonly family: Family | 'all'; readonly what: string }

/** Counts one thing that was right or wrong. */
export type Count = (row: Measured, isRight: boolean) => void

/** What the measures of one style work with; `pictures` of each family or form. */
export type Bench = {
  readonly tools: Tools
  readonly style: Style
  readonly pictures: number
  readonly seed: number
  readonly count: Count
}

type Output = Readonly<Record<string, unknown>>

/** One call on one picture, or on none: what the tool gave as data, empty where it failed. */
export async function called(
  { tools }: Bench,
  picture: Pick<Picture, 'sha256' | 'bytes'> | null,
  written: { readonly tool: string; readonly task?: string; readonly arguments?: Output },
  question = '',
): Promise<{ output: Output; images: readonly { image_id: string; bytes: Uint8Array }[] }> {
  const images = new Map(picture === null ? [] : [[picture.sha256, picture.bytes]])
  const result = await tools.call(written, { images, question, choices: [] })
  return { output: result.output_json ?? {}, images: result.output_images }
}

export type Made = { readonly kind: ItemKind; readonly scene: Scene; readonly picture: Picture }

/** The first `count` test items of these kinds in turn, all levels in turn. */
export function* items(kinds: readonly ItemKind[], { seed, style }: Bench, count: number): Generator<Made> {
  for (let place = 0; place < count; place++) {
    const kind = kinds[place % kinds.length]
    if (kind === undefined) return
    const index = Math.floor(place / kinds.length)
    const scene = kind.make({ seed, split: 'test', index, level: index % kind.levels.length, style })
    yield { kind, scene, picture: renderedPng(scene.svg) }
  }
}

/** The share of two boxes that both hold (intersection over union). */
export function overlap(a: readonly number[], b: readonly number[]): number {
  const [al = 0, at = 0, ar = 0, ab = 0] = a
  const [bl = 0, bt = 0, br = 0, bb = 0] = b
  const both = Math.max(0, Math.min(ar, br) - Math.max(al, bl)) * Math.max(0, Math.min(ab, bb) - Math.max(at, bt))
  return both / ((ar - al) * (ab - at) + (br - bl) * (bb - bt) - both)
}

/** Whether one of the boxes is this one: they share half of what they hold. */
export function isAmong(box: Box, boxes: readonly (readonly number[])[]): boolean {
  return boxes.some((other) => overlap(other, box) >= 0.5)
}

/** A list in an output, or none. */
export function listOf<T>(output: Output, name: string): readonly T[] {
  const list = output[name]
  return Array.isArray(list) ? (list as readonly T[]) : []
}

/** To 2 % of the value, or of the least that is meant by its last place. */
export function isNear(read: unknown, value: number, share = 0.02): boolean {
  return typeof read === 'number' && Math.abs(read - value) <= Math.abs(value) * share + 1e-9
}

/** Text in an output, '' for anything else. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
