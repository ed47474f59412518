import { renderedPng, type Picture } from '#services/gym/picture/render.ts'
import type { AnswerKey } from '#services/gym/loop/answer-check.ts'
import type { Evidence, Family, ItemRequest } from './item.ts'
import { itemId, type Chosen } from './kinds.ts'

/** One question about one picture, with all that an episode of it needs. */
export type GymItem = {
  /** Bears everything that it is made of: another request makes another id, never a second content under one. */
  readonly item_id: string
  readonly kind: string
  readonly family: Family
  readonly dataset: string
  readonly request: ItemRequest
  /** The named parameters of its level. */
  readonly parameters: Readonly<Record<string, number | string | boolean>>
  readonly question: string
  readonly key: AnswerKey
  readonly evidence: readonly Evidence[]
  readonly scene: Readonly<Record<string, unknown>>
  readonly picture: Picture
}

/** Makes items, and keeps the last ones: the rollouts of a group want the same. */
export type ItemSource = { item(chosen: Chosen): GymItem }

/** Draws the item that is meant. Pure: the same item, to the byte, on every machine. */
export function generatedItem({ kind, request }: Chosen): GymItem {
  const { svg, question, key, evidence, scene } = kind.make(request)
  return {
    item_id: itemId(kind, request),
    kind: kind.kind,
    family: kind.family,
    dataset: kind.dataset,
    request,
    parameters: kind.levels[request.level] ?? {},
    question,
    key,
    evidence,
    scene,
    picture: renderedPng(svg),
  }
}

/** A source that keeps at most `pictureBytesMax` of pictures: the ones that were asked for last. */
export function itemSource({ pictureBytesMax = 32 * 1024 * 1024 }: { pictureBytesMax?: number } = {}): ItemSource {
  const kept = new Map<string, GymItem>()
  let bytes = 0
  return {
    item(chosen) {
      const id = itemId(chosen.kind, chosen.request)
      const known = kept.get(id)
      const item = known ?? generatedItem(chosen)
      // Taken out and put in again, so that the map stands in the order of last use.
      if (known === undefined) bytes += item.picture.bytes.length
      else kept.delete(id)
      kept.set(id, item)
      for (const [oldest, { picture }] of kept) {
        if (bytes <= pictureBytesMax || oldest === id) break
        kept.delete(oldest)
        bytes -= picture.bytes.length
      }
      return item
    },
  }
}
