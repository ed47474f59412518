import { describe, expect, it } from 'vitest'
import { expert, kinds } from '#services/gym/families/chart/index.ts'
import { banks } from '#services/gym/families/chart/topics.ts'
import { understood } from '#services/gym/families/chart/wordings.ts'
import { checkedAnswer } from '#services/gym/loop/answer-check.ts'
import { decodedPng } from '#services/gym/picture/decode.ts'
import { renderedPng } from '#services/gym/picture/render.ts'
import type { ItemKind, ItemRequest, Scene } from '#services/gym/items/item.ts'

const base: ItemRequest = { seed: 9, split: 'test', index: 0, level: 0, style: 'ordinary' }

function scenes(kind: ItemKind, count: number, more: Partial<ItemRequest> = {}): Scene[] {
  return Array.from({ length: count }, (_, index) =>
    kind.make({ ...base, index, level: index % kind.levels.length, ...more }),
  )
}

describe.each(kinds.map((kind) => [kind.kind, kind] as const))('%s', (_, kind) => {
  it('gives the same scene twice, and another one for each split, style, index and level', () => {
    const picture = (request: Partial<ItemRequest>): string => kind.make({ ...base, ...request }).svg
    expect(picture({})).toBe(picture({}))
    const others: Partial<ItemRequest>[] = [{}, { split: 'train' }, { style: 'unseen' }, { index: 1 }, { level: 1 }]
    expect(new Set(others.map(picture)).size).toBe(others.length)
  })

  it('finds a question for every item, and words it so that it is understood as what it is', () => {
    for (const { question, key, scene } of scenes(kind, 150)) {
      const query = scene['query'] as Record<string, unknown>
      expect(understood(question)).toMatchObject(query)
      expect(checkedAnswer(key.answer[0] ?? '', key).answer_match).toBe(true)
      expect(checkedAnswer('no such thing', key).answer_match).toBe(false)
    }
  })

  it('has evidence inside the picture, with its mark or word in the box', () => {
    for (const { svg, evidence } of scenes(kind, 6)) {
      const { width, height, data } = decodedPng(renderedPng(svg).bytes)
      expect(evidence.length).toBeGreaterThan(0)
      for (const { box, what } of evidence) {
        const [left, top, right, bottom] = box
        expect(left >= 0 && top >= 0 && right <= width && bottom <= height, `${what} ${box.join(' ')}`).toBe(true)
        let unlike = 0
        for (let y = top; y < bottom; y++) {
          for (let x = left; x < right; x++) {
            // The corner of the picture is ground.
            if ([0, 1, 2].some((c) => Math.abs((data[(y * width + x) * 4 + c] ?? 0) - (data[c] ?? 0)) > 60)) unlike++
          }
        }
        expect(unlike / ((right - left) * (bottom - top)), what).toBeGreaterThan(0.05)
      }
    }
  })

  it('asks the expert for at most two calls, and it answers when nothing is said', () => {
    for (const { question, key } of scenes(kind, 20)) {
      const failed = { tool: 'chartmoe', task: 'to_table', text: 'no chart', ok: false }
      expect(expert(question, key.choices ?? [], [])).toHaveProperty('tool')
      expect(expert(question, key.choices ?? [], [failed, failed])).toHaveProperty('answer')
    }
  })
})

describe('charts of training and of test items', () => {
  it('have no label in common', () => {
    for (const { train, test } of Object.values(banks)) {
      const known = new Set<string>(train)
      expect(test.filter((word) => known.has(word))).toEqual([])
    }
  })

  it('draw their labels from the bank of their split', () => {
    const train = new Set<string>(Object.values(banks).flatMap((bank) => bank.train))
    for (const kind of kinds) {
      for (const { scene } of scenes(kind, 20)) {
        for (const name of scene['categories'] as string[]) expect(train.has(name)).toBe(false)
      }
    }
  })
})

describe('answers of charts', () => {
  it('are yes and no about equally often', () => {
    const yesNo = kinds.find(({ kind }) => kind === 'chart/yes-no')
    const yes = yesNo === undefined ? 0 : scenes(yesNo, 300).filter(({ key }) => key.answer[0] === 'yes').length
    // Three standard deviations of 300 fair draws.
    expect(Math.abs(yes - 150)).toBeLessThan(26)
  })

  it('bear every choice letter about equally often', () => {
    const colours = kinds.find(({ kind }) => kind === 'chart/colours')
    const letters = (colours === undefined ? [] : scenes(colours, 400)).flatMap(({ key }) =>
      key.choices === undefined ? [] : [key.choices.indexOf(key.answer[0] ?? '')],
    )
    const most = Math.max(...[0, 1, 2, 3].map((letter) => letters.filter((each) => each === letter).length))
    expect(letters.length).toBeGreaterThan(80)
    expect(most / letters.length).toBeLessThan(0.37)
  })
})
