import type { Habitat } from './organisms.ts'
import type { Random } from '#services/gym/random.ts'

/** Who is eaten by whom: arrows go from the eaten to the eater. */
export type FoodWeb = {
  readonly habitat: string
  /** Names from producers upwards. */
  readonly rows: readonly (readonly string[])[]
  readonly arrows: readonly (readonly [eaten: string, eater: string])[]
}

/** A question about a web, with exactly one right choice of four. */
export type WebQuestion = {
  readonly asks: string
  readonly question: string
  readonly answer: string
  readonly choices: readonly string[]
}

export function foodWeb(habitat: Habitat, counts: readonly number[], spare: number, chance: Random): FoodWeb {
  const rows = counts.map((count, level) => chance.shuffle(habitat.levels[level] ?? []).slice(0, count))
  const arrows: [string, string][] = []
  const add = (eaten: string, eater: string): void => {
    if (!arrows.some(([from, to]) => from === eaten && to === eater)) arrows.push([eaten, eater])
  }
  for (const [level, row] of rows.entries()) {
    const below = rows[level - 1]
    const above = rows[level + 1]
    for (const name of row) {
      if (below) add(chance.pick(below), name)
      if (above && !arrows.some(([eaten]) => eaten === name)) add(name, chance.pick(above))
    }
  }
  for (let extra = 0; extra < spare; extra++) {
    const level = chance.int(0, rows.length - 1)
    const [lower, upper] = [rows[level] ?? [], rows[level + 1] ?? []]
    if (lower.length > 0 && upper.length > 0) add(chance.pick(lower), chance.pick(upper))
  }
  return { habitat: habitat.name, rows, arrows }
}

export function foodOf({ arrows }: FoodWeb, name: string): string[] {
  return arrows.filter(([, eater]) => eater === name).map(([eaten]) => eaten)
}

export function eatersOf({ arrows }: FoodWeb, name: string): string[] {
  return arrows.filter(([eaten]) => eaten === name).map(([, eater]) => eater)
}

/** A question of one of the kinds that a level allows; null where the web has no clear one. */
export function webQuestion(web: FoodWeb, asks: string, chance: Random): WebQuestion | null {
  const names = web.rows.flat()
  const name = chance.pick(names)
  const opening = chance.pick([`The food web shows ${web.habitat}. `, 'Look at the food web. ', ''])
  const pick = (right: readonly string[], question: string): WebQuestion | null => {
    const wrong = chance.shuffle(names.filter((other) => other !== name && !right.includes(other))).slice(0, 3)
    if (right.length === 0 || wrong.length < 3) return null
    const answer = chance.pick(right)
    return { asks, question: `${opening}${question}`, answer, choices: chance.shuffle([answer, ...wrong]) }
  }
  const thing = name.toLowerCase()
  switch (asks) {
    case 'food':
      return pick(
        foodOf(web, name),
        chance.pick([`Which of these does the ${thing} eat?`, `What is food for the ${thing}?`]),
      )
    case 'eater':
      return pick(
        eatersOf(web, name),
        chance.pick([`Which of these eats the ${thing}?`, `Which of these feeds on the ${thing}?`]),
      )
    case 'producer':
      return pick(
        named(web, 'producer'),
        chance.pick(['Which of these is a producer?', 'Which of these is a producer in this food web?']),
      )
    case 'top':
      return pick(
        named(web, 'top'),
        chance.pick(['Which of these is eaten by nothing?', 'Which of these is a top predator?']),
      )
    case 'only-food': {
      const right = eatersOf(web, name).filter((eater) => foodOf(web, eater).length === 1)
      return pick(right, `Which of these would lose its only food if the ${thing} disappeared?`)
    }
    default:
      return change(web, name, opening, chance)
  }
}

function named(web: FoodWeb, role: 'producer' | 'top'): string[] {
  const of = role === 'producer' ? foodOf : eatersOf
  return web.rows.flat().filter((name) => of(web, name).length === 0)
}

/** What happens first when one is gone: what ate only it declines, what it ate grows. */
function change(web: FoodWeb, name: string, opening: string, chance: Random): WebQuestion | null {
  const grows = (one: string): string => `The number of ${one.toLowerCase()} would increase.`
  const falls = (one: string): string => `The number of ${one.toLowerCase()} would decrease.`
  const food = foodOf(web, name)
  const eaters = eatersOf(web, name)
  const only = eaters.filter((eater) => foodOf(web, eater).length === 1)
  const right = [...food.map(grows), ...only.map(falls)]
  const wrong = [...food.map(falls), ...eaters.map(grows)]
  const far = web.rows.flat().filter((one) => one !== name && !food.includes(one) && !eaters.includes(one))
  wrong.push(...far.flatMap((one) => [grows(one), falls(one)]))
  if (right.length === 0 || wrong.length < 3) return null
  const answer = chance.pick(right)
  const question = `${opening}What would most likely happen first if all the ${name.toLowerCase()} disappeared?`
  return { asks: 'change', question, answer, choices: chance.shuffle([answer, ...chance.shuffle(wrong).slice(0, 3)]) }
}
