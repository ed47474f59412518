import { describe, expect, it } from 'vitest'
import { expert as documentExpert, kinds as documentKinds } from '#services/gym/families/document/index.ts'
import { expert as geospatialExpert, kinds as geospatialKinds } from '#services/gym/families/geospatial/index.ts'
import { expert as othersExpert, kinds as othersKinds } from '#services/gym/families/others/index.ts'
import { checkedAnswer } from '#services/gym/loop/answer-check.ts'
import { decodedPng } from '#services/gym/picture/decode.ts'
import { renderedPng } from '#services/gym/picture/render.ts'
import type { Box, ItemKind, ItemRequest, Scene } from '#services/gym/items/item.ts'
import type { Expert } from '#services/gym/policies/policy.ts'
import type { Pixels } from '#services/gym/tools/tool.ts'

const families: readonly (readonly [ItemKind, Expert])[] = [
  ...documentKinds.map((kind) => [kind, documentExpert] as const),
  ...geospatialKinds.map((kind) => [kind, geospatialExpert] as const),
  ...othersKinds.map((kind) => [kind, othersExpert] as const),
]
const base: ItemRequest = { seed: 5, split: 'test', index: 0, level: 0, style: 'ordinary' }

/** The scenes of the first `count` items of a kind, its levels in turn. */
function scenes(kind: ItemKind, count: number, more: Partial<ItemRequest> = {}): Scene[] {
  return Array.from({ length: count }, (_, index) =>
    kind.make({ ...base, index, level: index % kind.levels.length, ...more }),
  )
}

/** The share of pixels in a box that are unlike the pixel at its top left. */
function inkIn({ width, data }: Pixels, [left, top, right, bottom]: Box): number {
  let unlike = 0
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const [at, first] = [(y * width + x) * 4, (top * width + left) * 4]
      if ([0, 1, 2].some((channel) => Math.abs((data[at + channel] ?? 0) - (data[first + channel] ?? 0)) > 40)) unlike++
    }
  }
  return unlike / ((right - left) * (bottom - top))
}

describe.each(families)('$kind', (kind, expert) => {
  it('gives the same picture twice, and other ones for other splits and styles', () => {
    const picture = (request: Partial<ItemRequest>): string => kind.make({ ...base, ...request }).svg
    expect(picture({})).toBe(picture({}))
    expect(
      new Set([picture({}), picture({ split: 'train' }), picture({ style: 'unseen' }), picture({ index: 1 })]).size,
    ).toBe(4)
  })

  it('answers with one of the choices, and the right answer passes the check', () => {
    for (const { key } of scenes(kind, 30)) {
      if (key.choices !== undefined) {
        expect(key.choices).toContain(key.answer[0])
        expect(new Set(key.choices).size).toBe(key.choices.length)
      }
      expect(checkedAnswer(key.answer[0] ?? '', key).answer_match).toBe(true)
      expect(checkedAnswer('no such thing', key).answer_match).toBe(false)
    }
  })

  it('has evidence boxes inside the picture, with ink in them', () => {
    for (const scene of scenes(kind, 3)) {
      const pixels = decodedPng(renderedPng(scene.svg).bytes)
      expect(scene.evidence.length).toBeGreaterThan(0)
      for (const { box } of scene.evidence) {
        const [left, top, right, bottom] = box
        expect(left >= 0 && top >= 0 && right <= pixels.width && bottom <= pixels.height).toBe(true)
        expect(inkIn(pixels, box)).toBeGreaterThan(0.02)
      }
    }
  })

  it('is answered by a guess where the tool fails', () => {
    const { question, key } = kind.make(base)
    const move = expert(question, key.choices ?? [], [{ tool: 'easyocr', task: '', text: 'Timeout', ok: false }])
    expect('answer' in move).toBe(true)
  })
})

describe('balance and splits', () => {
  it('answers yes about as often as no', () => {
    const compare = geospatialKinds.find(({ kind }) => kind === 'geospatial/map-compare')
    if (compare === undefined) throw new Error('there is map-compare')
    const yes = scenes(compare, 120).filter(({ key }) => key.answer[0] === 'yes').length
    expect(yes).toBeGreaterThan(42)
    expect(yes).toBeLessThan(78)
  })

  it('shows no name of the training split in a test', () => {
    const namesOf = (split: 'train' | 'test'): Set<string> =>
      new Set(
        [...geospatialKinds, ...othersKinds, ...documentKinds].flatMap((kind) =>
          scenes(kind, 12, { split }).map((scene) => {
            const { country, company, place, clocks, gauges, stops } = scene.scene as Record<string, unknown>
            const first =
              (clocks as { place: string }[] | undefined)?.[0]?.place ??
              (gauges as { name: string }[] | undefined)?.[0]?.name
            const name = country ?? company ?? place ?? first ?? (stops as string[] | undefined)?.[0]
            return typeof name === 'string' ? name : 'undefined'
          }),
        ),
      )
    const test = namesOf('test')
    expect(test).not.toContain('undefined')
    expect([...namesOf('train')].filter((name) => test.has(name))).toEqual([])
  })
})
