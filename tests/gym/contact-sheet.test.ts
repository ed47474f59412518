import { describe, expect, it } from 'vitest'
import { kinds } from '#services/gym/families/spatial/index.ts'
import { contactSheet, sheetItemsMax } from '#services/gym/items/contact-sheet.ts'
import { generatedItem, type GymItem } from '#services/gym/items/generated.ts'
import { decodedPng } from '#services/gym/picture/decode.ts'
import type { Pixels } from '#services/gym/tools/tool.ts'

const [kind] = kinds
const items: GymItem[] = [0, 1, 2].map((index) => {
  if (kind === undefined) throw new Error('there are spatial kinds')
  return generatedItem({ kind, request: { seed: 9, split: 'test', index, level: 1, style: 'ordinary' } })
})
const [first, second] = items as [GymItem, GymItem]

/** The pixels of a part of a sheet. */
function part(
  sheet: { bytes: Uint8Array },
  [left, top, right, bottom]: readonly [number, number, number, number],
): Buffer {
  const { width, data }: Pixels = decodedPng(sheet.bytes)
  const rows = Array.from({ length: bottom - top }, (_, row) =>
    data.subarray(((top + row) * width + left) * 4, ((top + row) * width + right) * 4),
  )
  return Buffer.concat(rows)
}

describe('a contact sheet', () => {
  it('is as wide as its columns and has a row for each turn of them', () => {
    const [row, column] = [contactSheet(items), contactSheet(items, { columns: 1 })]
    expect([row.width, column.width]).toEqual([1260, 420])
    expect(column.height).toBe(3 * row.height)
    expect(row.height).toBeGreaterThan(330)
  })

  it('draws the evidence in its colour, and only where it is asked for', () => {
    const box = { what: 'planted', box: [100, 60, 300, 200] as const }
    const [item] = [{ ...first, evidence: [box] }]
    const pink = (sheet: { bytes: Uint8Array }): number => {
      const { data } = decodedPng(sheet.bytes)
      let count = 0
      for (let at = 0; at < data.length; at += 4)
        if ((data[at] ?? 0) > 240 && (data[at + 1] ?? 0) < 40 && (data[at + 2] ?? 0) > 180) count++
      return count
    }
    expect(pink(contactSheet([item]))).toBe(0)
    expect(pink(contactSheet([item], { evidence: true }))).toBeGreaterThan(300)
  })

  it('keeps long questions and answers out of the next cell', () => {
    const choices = [
      'The number of rattlesnakes would increase.',
      'The number of sagebrush would decrease.',
      'x'.repeat(90),
    ]
    const long: GymItem = {
      ...first,
      question: `${'What would most likely happen to all of them '.repeat(6)}${'y'.repeat(120)}?`,
      key: { answer: [choices[0] ?? ''], answer_type: 'choice', choices },
    }
    const [usual, wide] = [contactSheet([first, second, long]), contactSheet([long, second, long])]
    expect(wide.height).toBe(usual.height)
    const words = [420, 312, 840, usual.height] as const
    expect(part(wide, words).equals(part(usual, words))).toBe(true)
    // The margin on the right of the long words themselves is free.
    const free = part(wide, [410, 312, 420, usual.height])
    expect(free.every((level) => level === 255)).toBe(true)
  })

  it('shows the name of each item, and its choices on a line of their own', () => {
    const choices = ['red', 'blue']
    const asked = (key: GymItem['key'], item_id = first.item_id): GymItem => ({ ...first, item_id, key })
    const key = { answer: ['red'], answer_type: 'choice' as const }
    const [without, within] = [contactSheet([asked(key)]), contactSheet([asked({ ...key, choices })])]
    expect(within.height).toBe(without.height + 17)
    const above = [0, 0, 420, without.height - 24] as const
    expect(part(within, above).equals(part(without, above))).toBe(true)
    expect(contactSheet([asked(key, 'spatial/count/test/9/0007-l1')]).sha256).not.toBe(without.sha256)
  })

  it('has a font with the signs of geometry', () => {
    const drawn = ['∠', '∥', '⊥', '°', 'Ω'].map((sign) => contactSheet([{ ...first, question: sign }]).sha256)
    // A sign that a font has not is drawn as the same box as any other.
    expect(new Set(drawn).size).toBe(drawn.length)
  })

  it('refuses none and too many', () => {
    expect(() => contactSheet([])).toThrow(RangeError)
    expect(() => contactSheet(Array.from({ length: sheetItemsMax + 1 }, () => first))).toThrow(RangeError)
  })
})
