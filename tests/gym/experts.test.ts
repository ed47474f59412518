import { afterAll, describe, expect, it } from 'vitest'
import { experts, kinds } from '#services/gym/items/families.ts'
import { FAMILIES, type ItemKind, type Style } from '#services/gym/items/item.ts'
import { checkedAnswer } from '#services/gym/loop/answer-check.ts'
import { renderedPng } from '#services/gym/picture/render.ts'
import { openTools } from '#services/gym/tools/open.ts'
import { guessed } from '#tests/bench/gym-tools/guessing.ts'
import type { ExpertHeard } from '#services/gym/policies/policy.ts'

/** Items of each kind that are guessed: 81 in all, so 35 % is four standard deviations above the 18 % of many. */
const guesses = 3

const tools = openTools({ threads: 1 })
afterAll(() => tools.close())

/** Whether the expert's answer is right, from the question and what the local tools say alone. */
async function isSolved(kind: ItemKind, index: number, style: Style): Promise<boolean> {
  const request = { seed: 3, split: 'test', index, level: index % kind.levels.length, style } as const
  const { svg, question, key } = kind.make(request)
  const { sha256, bytes } = renderedPng(svg)
  const context = { images: new Map([[sha256, bytes]]), question, choices: key.choices ?? [] }
  const heard: ExpertHeard[] = []
  for (;;) {
    const move = experts[kind.family]?.(question, context.choices, heard)
    if (move === undefined) throw new Error(`${kind.family} has no expert`)
    if ('answer' in move) return checkedAnswer(move.answer, key).answer_match
    expect(heard.length, `${kind.kind} calls a third time`).toBeLessThan(2)
    const { tool, task, arguments: values } = move
    const result = await tools.call({ tool, task, arguments: values }, context)
    heard.push({ tool, task, text: result.observation, ok: result.status === 'ok' })
  }
}

describe('the experts with local tools alone', () => {
  it('solve 90 % of ordinary items, and three of four in each family', { timeout: 120_000 }, async () => {
    const right = new Map<string, number>()
    for (const [place, kind] of kinds.entries()) {
      if (await isSolved(kind, place, 'ordinary')) right.set(kind.family, (right.get(kind.family) ?? 0) + 1)
    }
    const all = [...right.values()].reduce((sum, count) => sum + count, 0)
    expect(all / kinds.length).toBeGreaterThanOrEqual(0.9)
    for (const family of FAMILIES) {
      const of = kinds.filter((kind) => kind.family === family).length
      expect((right.get(family) ?? 0) / of, family).toBeGreaterThanOrEqual(0.75)
    }
  })

  it('solve three of four in fonts and styles of their own', { timeout: 120_000 }, async () => {
    const names = ['chart/values', 'geospatial/infographic', 'document/field', 'spatial/count']
    const some = kinds.filter(({ kind }) => names.includes(kind))
    expect(some).toHaveLength(names.length)
    let right = 0
    for (const [place, kind] of some.entries()) if (await isSolved(kind, place, 'unseen')) right++
    expect(right / some.length).toBeGreaterThanOrEqual(0.75)
  })
})

it('guessing without a look is right on fewer than 35 % of the items', { timeout: 60_000 }, () => {
  const shares = kinds.map((kind) => guessed(kind, 17, guesses))
  const [right, of] = [
    shares.reduce((sum, each) => sum + each.right, 0),
    shares.reduce((sum, each) => sum + each.of, 0),
  ]
  expect(of).toBe(guesses * kinds.length)
  expect(right / of).toBeLessThan(0.35)
})
