import { afterAll, describe, expect, it } from 'vitest'
import { expert, kinds } from '#services/gym/families/spatial/index.ts'
import { checkedAnswer } from '#services/gym/loop/answer-check.ts'
import { renderedPng } from '#services/gym/picture/render.ts'
import { decodedPng } from '#services/gym/picture/decode.ts'
import { openTools } from '#services/gym/tools/open.ts'
import type { ItemKind, Split, Style } from '#services/gym/items/item.ts'
import type { Solid } from '#services/gym/families/spatial/scene.ts'

const tools = openTools({ threads: 1 })
afterAll(() => tools.close())

const made = (kind: ItemKind, index: number, split: Split = 'test', style: Style = 'ordinary') =>
  kind.make({ seed: 11, split, index, level: index % kind.levels.length, style })

describe.each(kinds.map((kind) => [kind.kind, kind] as const))('%s', (_, kind) => {
  it('is the same for the same request and another for another', () => {
    expect(made(kind, 3)).toEqual(made(kind, 3))
    expect(new Set(Array.from({ length: 12 }, (_, index) => made(kind, index).svg)).size).toBe(12)
  })

  it('shares no scene between train and test', () => {
    const parity = (split: Split): Set<unknown> =>
      new Set(Array.from({ length: 12 }, (_, index) => made(kind, index, split).scene['parity']))
    expect([...parity('train'), ...parity('test')]).toEqual([0, 1])
  })

  it('has ink where its evidence is, and nothing stands over another thing', () => {
    for (let index = 0; index < 4; index++) {
      const { svg, evidence, scene } = made(kind, index)
      const { width, data } = decodedPng(renderedPng(svg).bytes)
      for (const { what, box } of evidence) {
        const [x, y] = [Math.floor((box[0] + box[2]) / 2), Math.floor((box[1] + box[3]) / 2)]
        const at = (y * width + x) * 4
        const [inside, corner] = [data.subarray(at, at + 3), data.subarray(0, 3)]
        const away = Math.max(...[...inside].map((level, channel) => Math.abs(level - (corner[channel] ?? 0))))
        expect(away, `${what} at ${box.join()}`).toBeGreaterThan(25)
      }
      const things = scene['things'] as readonly Solid[]
      const meet = things.some((a) =>
        things.some(
          (b) => a !== b && a.box[0] < b.box[2] && b.box[0] < a.box[2] && a.box[1] < b.box[3] && b.box[1] < a.box[3],
        ),
      )
      expect(meet).toBe(false)
    }
  })

  it('has answers in balance', () => {
    const counts = new Map<string, number>()
    for (let index = 0; index < 60; index++) {
      const [answer = ''] = made(kind, index).key.answer
      counts.set(answer, (counts.get(answer) ?? 0) + 1)
    }
    expect(Math.max(...counts.values())).toBeLessThanOrEqual(
      kind.kind.endsWith('exists') || kind.kind.endsWith('compare') ? 30 : 27,
    )
  })

  it('is solved by its expert from what the tools say', async () => {
    let right = 0
    for (let index = 0; index < 3; index++) {
      const { svg, question, key } = made(kind, index)
      const { sha256, bytes } = renderedPng(svg)
      const move = expert(question, [], [])
      if ('answer' in move) throw new Error('the expert asked no tool')
      const call = { tool: move.tool, task: move.task, arguments: move.arguments }
      const result = await tools.call(call, { images: new Map([[sha256, bytes]]), question, choices: [] })
      const next = expert(
        question,
        [],
        [{ tool: move.tool, task: move.task, text: result.observation, ok: result.status === 'ok' }],
      )
      if ('answer' in next && checkedAnswer(next.answer, key).answer_match) right++
    }
    expect(right).toBeGreaterThanOrEqual(2)
  })
})

it('answers with its best guess when every tool fails', () => {
  const failed = {
    tool: 'grounding_dino',
    task: 'detect',
    text: 'Error (Timeout): the tool took longer than 20 s',
    ok: false,
  }
  for (const kind of kinds) expect(expert(made(kind, 0).question, [], [failed, failed])).toHaveProperty('answer')
})
