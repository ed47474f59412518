import { random, type Random } from '#services/gym/random.ts'
import type { AnswerKey } from '#services/gym/loop/answer-check.ts'
import type { Evidence, ItemKind, ItemRequest, Scene } from '#services/gym/items/item.ts'
import { drawnScene } from './drawing.ts'
import {
  anyDescription,
  fits,
  only,
  uniqueDescription,
  worded,
  type Attribute,
  type Description,
} from './description.ts'
import { solids, type Solid } from './scene.ts'

const levels = [
  { things: 4, gap: 8, tiles: false },
  { things: 6, gap: 6, tiles: false },
  { things: 8, gap: 5, tiles: true },
  { things: 10, gap: 4, tiles: true },
] as const

/** A question about a scene, or null where the scene gives none that has one answer. */
type Asked = { readonly question: string; readonly key: AnswerKey; readonly rests: readonly Solid[] }
type Ask = (chance: Random, things: readonly Solid[], request: ItemRequest) => Asked | null

const number = (value: number): AnswerKey => ({ answer: [String(value)], answer_type: 'numeric' })
const yesNo = (isYes: boolean): AnswerKey => ({ answer: [isYes ? 'yes' : 'no'], answer_type: 'yes_no' })

/** Every second item is a yes by its place, so that half of them are, whatever the scenes. */
const wantsYes = ({ index, seed }: ItemRequest): boolean =>
  random(seed, 'spatial', 'yes', index >> 1).chance(0.5) === (index % 2 === 0)

function kindOf(name: string, dataset: string, ask: Ask): ItemKind {
  const kind = `spatial/${name}`
  return {
    kind,
    family: 'spatial',
    dataset,
    levels,
    make(request): Scene {
      const level = levels[request.level]
      if (level === undefined) throw new RangeError(`${kind} has no level ${request.level}`)
      const { seed, split, index, style } = request
      for (let attempt = 0; attempt < 200; attempt++) {
        const chance = random(seed, kind, split, style, request.level, index, 'question', attempt)
        const things = solids(request, `${kind}/${attempt}`, level.things - chance.int(0, 2), level.gap)
        const asked = ask(chance, things, request)
        if (asked === null) continue
        return {
          svg: drawnScene(request, kind, things, level.tiles),
          question: asked.question,
          key: asked.key,
          evidence: asked.rests.map(evidence),
          scene: { things, parity: things.reduce((sum, { x, y }) => sum + x + y, 0) % 2 },
        }
      }
      throw new RangeError(`${kind} finds no question for ${JSON.stringify(request)}`)
    },
  }
}

function evidence(solid: Solid): Evidence {
  return { what: worded(solid), box: solid.box }
}

const count = kindOf('count', 'stepstore-clevr', (chance, things) => {
  const wanted = chance.int(0, 5)
  for (let attempt = 0; attempt < 40; attempt++) {
    const description = anyDescription(chance, chance.int(1, 3))
    const found = things.filter((thing) => fits(thing, description))
    if (found.length !== wanted) continue
    const words = worded(description, true)
    const question = chance.pick([`How many ${words} are there?`, `What number of ${words} are in the picture?`])
    return { question, key: number(found.length), rests: found }
  }
  return null
})

const exists = kindOf('exists', 'stepstore-clevr', (chance, things, request) => {
  const isYes = wantsYes(request)
  for (let attempt = 0; attempt < 40; attempt++) {
    // A no is as far from the scene as a yes: what is asked for shares all but one attribute with something there.
    const near = only(
      chance.pick(things),
      ['size', 'colour', 'material', 'shape'].filter((_, at) => at !== attempt % 4) as Attribute[],
    )
    const description = isYes ? near : { ...near, ...anyDescription(chance, 1) }
    const found = things.filter((thing) => fits(thing, description))
    if (found.length > 0 !== isYes) continue
    const words = worded(description)
    return {
      question: chance.pick([`Is there a ${words}?`, `Does the picture show a ${words}?`]),
      key: yesNo(isYes),
      rests: found,
    }
  }
  return null
})

const compare = kindOf('compare', 'stepstore-clevr', (chance, things, request) => {
  const isYes = wantsYes(request)
  for (let attempt = 0; attempt < 40; attempt++) {
    const [first, second] = [anyDescription(chance, chance.int(1, 3)), anyDescription(chance, chance.int(1, 3))]
    const [left, right] = [first, second].map((each) => things.filter((thing) => fits(thing, each))) as [
      Solid[],
      Solid[],
    ]
    const how = chance.pick(['more', 'fewer', 'same'] as const)
    const holds =
      how === 'more'
        ? left.length > right.length
        : how === 'fewer'
          ? left.length < right.length
          : left.length === right.length
    if (holds !== isYes || left.length + right.length === 0 || worded(first) === worded(second)) continue
    const [a, b] = [worded(first, true), worded(second, true)]
    const question = how === 'same' ? `Are there as many ${a} as ${b}?` : `Are there ${how} ${a} than ${b}?`
    return { question, key: yesNo(isYes), rests: [...new Set([...left, ...right])] }
  }
  return null
})

const attribute = kindOf('attribute', 'stepstore-clevr', (chance, things) => {
  const name = chance.pick(['colour', 'colour', 'shape', 'material', 'size'] as const)
  const solid = chance.pick(things)
  const description = uniqueDescription(chance, solid, things, [name])
  if (description === null) return null
  const words = worded(description)
  const questions = {
    colour: `What colour is the ${words}?`,
    shape: `What shape is the ${words}: cube, sphere or cylinder?`,
    material: `What is the ${words} made of, metal or rubber?`,
    size: `Is the ${words} small or large?`,
  }
  const answer = name === 'colour' && solid.colour === 'gray' ? ['gray', 'grey'] : [solid[name]]
  return { question: questions[name], key: { answer, answer_type: 'text' }, rests: [solid] }
})

const sides = {
  'left of': (thing: Solid, other: Solid): boolean => thing.x < other.x,
  'right of': (thing: Solid, other: Solid): boolean => thing.x > other.x,
  'in front of': (thing: Solid, other: Solid): boolean => thing.y > other.y,
  behind: (thing: Solid, other: Solid): boolean => thing.y < other.y,
} as const

const relation = kindOf('relation', 'stepstore-clevr', (chance, things) => {
  const other = chance.pick(things)
  const unique = uniqueDescription(chance, other, things)
  if (unique === null) return null
  const side = chance.pick(['left of', 'right of', 'in front of', 'behind'] as const)
  const wanted = chance.int(0, 5)
  const there = things.filter((thing) => thing !== other && sides[side](thing, other))
  const description: Description = chance.chance(0.5) ? {} : anyDescription(chance, 1)
  const found = there.filter((thing) => fits(thing, description))
  if (found.length !== wanted) return null
  const question = `How many ${worded(description, true)} are ${side} the ${worded(unique)}?`
  return { question, key: number(found.length), rests: [other, ...found] }
})

const subtract = kindOf('subtract', 'stepstore-clevr-math', (chance, things) => {
  const parts = [anyDescription(chance, chance.int(1, 3)), ...(chance.chance(0.4) ? [anyDescription(chance, 1)] : [])]
  const gone = things.filter((thing) => parts.some((part) => fits(thing, part)))
  const left = things.filter((thing) => !gone.includes(thing))
  if (gone.length === 0 || left.length > 6) return null
  const words = parts.map((part) => `all ${worded(part, true)}`).join(' and ')
  const question = chance.pick([
    `Take away ${words}. How many things are left?`,
    `Subtract ${words}. How many things are left?`,
  ])
  return { question, key: number(left.length), rests: left }
})

export const kinds: readonly ItemKind[] = [count, exists, compare, attribute, relation, subtract]
