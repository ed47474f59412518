import { describe, expect, test } from 'vitest'
import { inkOf } from '#services/gym/drawings/ink.ts'
import { kinds } from '#services/gym/families/geometry/index.ts'
import { angleTopics } from '#services/gym/families/geometry/angle-topics.ts'
import { areaTopics } from '#services/gym/families/geometry/area-topics.ts'
import { lengthTopics } from '#services/gym/families/geometry/length-topics.ts'
import { goalLiteral, literalsOf, renamed, trueValue } from '#services/gym/families/geometry/sketch.ts'
import { questionCdl } from '#services/gym/geometry/question-cdl.ts'
import { solvedProblem } from '#services/gym/geometry/solver.ts'
import { decodedPng } from '#services/gym/picture/decode.ts'
import { renderedPng } from '#services/gym/picture/render.ts'
import { random } from '#services/gym/random.ts'
import type { ItemRequest, Scene } from '#services/gym/items/item.ts'

const requests: ItemRequest[] = [0, 1, 2].flatMap((level) =>
  [0, 1, 2, 3].map(
    (index) => ({ seed: 21, split: 'test', index, level, style: index % 2 === 0 ? 'ordinary' : 'unseen' }) as const,
  ),
)
const scenes: Scene[] = kinds.flatMap((kind) => requests.map((request) => kind.make(request)))

test('each topic is solved to what its coordinates say', () => {
  for (const topic of [angleTopics, lengthTopics, areaTopics].flat(2)) {
    for (let draw = 0; draw < 8; draw++) {
      const sketch = renamed(topic(random(5, 'values', draw)), 'train', random(5, 'names', draw))
      const problem = { literals: literalsOf(sketch), goal: goalLiteral(sketch.goal), places: sketch.points }
      const { value, consistent } = solvedProblem(problem)
      expect(consistent, sketch.topic).toBe(true)
      expect(value, `${sketch.topic}: ${problem.literals.join(' ')}`).toBeCloseTo(trueValue(sketch), 1)
    }
  }
})

describe('an item of geometry', () => {
  test('is the same for the same request', () => {
    for (const kind of kinds) {
      const request = { seed: 3, split: 'train', index: 7, level: 2, style: 'ordinary' } as const
      expect(kind.make(request)).toEqual(kind.make(request))
    }
  })

  test('has four choices apart from one another, or a number', () => {
    for (const { key } of scenes) {
      if (key.answer_type !== 'choice') {
        expect(key.answer_type).toBe('numeric')
        continue
      }
      const numbers = (key.choices ?? []).map((choice) => Number.parseFloat(choice))
      expect(new Set(numbers).size).toBe(4)
      expect(key.choices).toContain(key.answer[0])
    }
  })

  test('states and asks in words what its literals say', () => {
    for (const { question, scene } of scenes) {
      const { text_cdl, goal_cdl } = questionCdl(question)
      expect(goal_cdl).toBe(scene['goal'])
      const said = text_cdl.filter((literal) => !literal.startsWith('Circle('))
      for (const literal of said) expect(scene['literals'], question).toContain(literal)
    }
  })

  test('has ink in each box of its evidence, and something to read in the picture', () => {
    for (const { svg, evidence } of scenes) {
      const ink = inkOf(decodedPng(renderedPng(svg).bytes))
      for (const { what, box } of evidence) {
        let count = 0
        for (let y = box[1]; y < box[3]; y++)
          for (let x = box[0]; x < box[2]; x++) count += ink.mask[y * ink.width + x] ?? 0
        expect(count, what).toBeGreaterThan(8)
      }
      expect(evidence.length).toBeGreaterThan(1)
    }
  })

  test('has point names of an odd sum in training and an even one in tests', () => {
    for (const kind of kinds) {
      for (const split of ['train', 'test'] as const) {
        for (let index = 0; index < 10; index++) {
          const { evidence } = kind.make({ seed: 8, split, index, level: index % 3, style: 'ordinary' })
          const names = evidence.flatMap(({ what }) => /^point (?!O)(.)$/.exec(what)?.[1] ?? [])
          const sum = names.reduce((total, name) => total + name.charCodeAt(0), 0)
          expect(sum % 2).toBe(split === 'train' ? 1 : 0)
        }
      }
    }
  })

  test('puts the right choice at each place about as often', () => {
    const places = [0, 0, 0, 0]
    for (let index = 0; index < 200; index++) {
      const { key } = kinds[index % 2]?.make({ seed: 1, split: 'train', index, level: 0, style: 'ordinary' }) ?? {}
      const place = key?.choices?.indexOf(key.answer[0] ?? '') ?? -1
      places[place] = (places[place] ?? 0) + 1
    }
    for (const count of places) expect(count).toBeGreaterThan(28)
  })
})
