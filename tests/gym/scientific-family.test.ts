import { afterAll, describe, expect, test } from 'vitest'
import { circuitExpression } from '#services/gym/families/scientific/circuit-reduction.ts'
import { circuit, totalOhms } from '#services/gym/families/scientific/circuit.ts'
import { drawnCircuit } from '#services/gym/families/scientific/circuit-drawing.ts'
import { expert, kinds } from '#services/gym/families/scientific/index.ts'
import { habitats } from '#services/gym/families/scientific/organisms.ts'
import { readCircuit } from '#services/gym/drawings/circuit.ts'
import { checkedAnswer } from '#services/gym/loop/answer-check.ts'
import { decodedPng } from '#services/gym/picture/decode.ts'
import { renderedPng } from '#services/gym/picture/render.ts'
import { random } from '#services/gym/random.ts'
import { diagramParser } from '#services/gym/tools/local/diagram-parser.ts'
import { mathSolver } from '#services/gym/tools/local/math-solver.ts'
import { textReader } from '#services/gym/tools/local/read-text.ts'
import type { ItemRequest, Scene } from '#services/gym/items/item.ts'
import type { ExpertHeard } from '#services/gym/policies/policy.ts'
import type { LocalTool } from '#services/gym/tools/tool.ts'

const reader = textReader()
afterAll(() => reader.close())

const [webs, circuits] = kinds
const tools: Record<string, LocalTool> = { diagram_parser: diagramParser, math_solver: mathSolver }

function made(kind: typeof webs, request: Partial<ItemRequest>): Scene {
  const scene = kind?.make({ seed: 6, split: 'test', index: 0, level: 0, style: 'ordinary', ...request })
  if (!scene) throw new Error('there is no such kind')
  return scene
}

async function played(scene: Scene): Promise<boolean> {
  const pixels = decodedPng(renderedPng(scene.svg).bytes)
  const heard: ExpertHeard[] = []
  for (let turn = 0; turn < 3; turn++) {
    const move = expert(scene.question, scene.key.choices ?? [], heard)
    if ('answer' in move) return checkedAnswer(move.answer, scene.key).answer_match
    const tool = tools[move.tool]
    if (!tool) throw new Error(`the expert calls ${move.tool}`)
    const call = { task: move.task, arguments: move.arguments, images: [pixels], question: scene.question, choices: [] }
    heard.push({ tool: move.tool, task: move.task, text: (await tool(call, reader.readText)).text, ok: true })
  }
  return false
}

describe('circuits', () => {
  test('what is read from the picture has the resistance of the closed formula', async () => {
    for (const plan of ['series', 'parallel', 'mixed'] as const) {
      for (let draw = 0; draw < 3; draw++) {
        const drawn = circuit(plan, draw % 2 === 0 ? 'test' : 'train', random(2, plan, draw))
        const { svg } = drawnCircuit(drawn, 'ordinary', random(2, plan, draw, 'layout'))
        const pixels = decodedPng(renderedPng(svg).bytes)
        const call = { task: 'circuit', arguments: {}, images: [pixels], question: '', choices: [] }
        const found = circuitExpression((await diagramParser(call, reader.readText)).text)
        const worked = await mathSolver(
          { ...call, task: 'solve', arguments: { problem: found?.ohms ?? '' } },
          reader.readText,
        )
        expect(worked.output['value'], `${plan} ${draw}`).toBeCloseTo(totalOhms(drawn), 6)
        expect(found?.volts).toBe(String(drawn.volts))
      }
    }
  })

  test('a picture without components has none', () => {
    expect(readCircuit({ width: 50, height: 50, data: new Uint8Array(50 * 50 * 4).fill(200) })).toEqual([])
  })

  test('no formula is made where a value is missing or there is no source', () => {
    expect(circuitExpression('resistor ? ohm between net 0 and net 1\nsource 9 V between net 0 and net 1')).toBeNull()
    expect(circuitExpression('resistor 4 ohm between net 0 and net 1')).toBeNull()
    expect(circuitExpression('resistor 4 ohm between net 0 and net 2\nsource 9 V between net 0 and net 1')).toBeNull()
  })

  test('resistances are odd in training and even in tests', () => {
    for (const split of ['train', 'test'] as const) {
      const values = Array.from({ length: 12 }, (_, index) =>
        made(circuits, { split, index, level: index % 3 }),
      ).flatMap(({ scene }) =>
        (scene['sections'] as { top: number[]; rung: number[] }[]).flatMap(({ top, rung }) => [...top, ...rung]),
      )
      expect(values.every((value) => value % 2 === (split === 'train' ? 1 : 0))).toBe(true)
    }
  })
})

describe('food webs', () => {
  test('the two splits share no living thing', () => {
    const names = (split: 'train' | 'test'): string[] =>
      habitats[split].flatMap(({ levels }) => levels.flat().map(({ name }) => name))
    expect(names('train').filter((name) => names('test').includes(name))).toEqual([])
  })

  test('whoever eats in a habitat eats what lives there one level below, and all but the lowest eat', () => {
    for (const { name, levels } of [...habitats.train, ...habitats.test]) {
      for (const [level, row] of levels.entries()) {
        const below = levels[level - 1]?.map((one) => one.name) ?? []
        for (const { name: eater, eats } of row) {
          expect(below, `${eater} of ${name}`).toEqual(expect.arrayContaining([...eats]))
          expect(eats.length > 0, `${eater} of ${name}`).toBe(level > 0)
        }
      }
    }
  })

  test.each(['train', 'test'] as const)('nobody in a %s web eats what it does not eat in nature', (split) => {
    const diets = new Map(
      habitats[split].flatMap(({ levels }) => levels.flat().map(({ name, eats }) => [name, eats] as const)),
    )
    const seen = new Set<unknown>()
    for (let index = 0; index < 60; index++) {
      const { scene } = made(webs, { split, index, level: index % 3 })
      for (const [eaten, eater] of scene['arrows'] as (readonly [string, string])[])
        expect(diets.get(eater), eater).toContain(eaten)
      seen.add(scene['habitat'])
    }
    expect(seen.size).toBe(habitats[split].length)
  })

  test('several of a living thing are spoken of as several', () => {
    const said = Array.from({ length: 60 }, (_, index) => made(webs, { index, level: 2 })).flatMap(
      ({ question, key }) => [question, ...(key.choices ?? [])],
    )
    const all = said.join('\n')
    expect(all).toMatch(/The number of robins would (in|de)crease\./)
    expect(all).toMatch(/all the [a-z ]+ disappeared/)
    const several = new Set(
      [...habitats.train, ...habitats.test].flatMap(({ levels }) => levels.flat().map(({ many }) => many)),
    )
    for (const [, many = ''] of all.matchAll(/(?:number|amount) of ([a-z ]+) would/g)) expect(several).toContain(many)
    for (const [, many = ''] of all.matchAll(/all the ([a-z ]+) disappeared/g)) expect(several).toContain(many)
  })

  test('one choice alone is right by the arrows', () => {
    for (let index = 0; index < 60; index++) {
      const { key, question, scene } = made(webs, {
        index,
        level: index % 3,
        split: index % 2 === 0 ? 'test' : 'train',
      })
      const arrows = scene['arrows'] as (readonly [string, string])[]
      const text = `boxes: none\narrows: ${arrows.map(([from, to]) => `${from} -> ${to}`).join('; ')}`
      const heard = [{ tool: 'diagram_parser', task: 'graph', text, ok: true }]
      expect(key.choices).toHaveLength(4)
      // In both orders: a choice that scored as well would win in one of them.
      expect(expert(question, key.choices ?? [], heard)).toMatchObject({ answer: key.answer[0] })
      expect(expert(question, (key.choices ?? []).toReversed(), heard)).toMatchObject({ answer: key.answer[0] })
    }
  })

  test('arrows are read from the eaten to the eater', async () => {
    const scene = made(webs, { index: 3, level: 2 })
    const pixels = decodedPng(renderedPng(scene.svg).bytes)
    const call = { task: 'graph', arguments: {}, images: [pixels], question: '', choices: [] }
    const { output } = await diagramParser(call, reader.readText)
    const read = (output['arrows'] as { from: string; to: string }[]).map(({ from, to }) => `${from} ${to}`).toSorted()
    expect(read).toEqual((scene.scene['arrows'] as string[][]).map((arrow) => arrow.join(' ')).toSorted())
  })
})

test.each([
  ['ordinary', 7],
  ['unseen', 6],
] as const)('the expert solves items in %s fonts by tools: at least %i of 8', async (style, least) => {
  let right = 0
  for (let index = 0; index < 8; index++) {
    if (await played(made(kinds[index % 2], { index, level: Math.floor(index / 2) % 3, style }))) right++
  }
  expect(right).toBeGreaterThanOrEqual(least)
})

test('an item is the same for the same request', () => {
  for (const kind of kinds) expect(made(kind, { level: 2 })).toEqual(made(kind, { level: 2 }))
})
