import type { Habitat, Organism } from './organisms.ts'
import type { Random } from '#services/gym/random.ts'

/** Who is eaten by whom: arrows go from the eaten to the eater. */
export type FoodWeb = {
  readonly habitat: string
  /** Names from producers upwards. */
  readonly rows: readonly (readonly string[])[]
  readonly arrows: readonly (readonly [eaten: string, eater: string])[]
  /** How several of each are spoken of: the number of `mice`, the amount of `clover`. */
  readonly spoken: Readonly<Record<string, Pick<Organism, 'measure' | 'many'>>>
}

/** A question about a web, with exactly one right choice of four. */
export type WebQuestion = {
  readonly asks: string
  readonly question: string
  readonly answer: string
  readonly choices: readonly string[]
}

/**
 * A web of so many living things of each level, in which everything eats what it eats in nature, each above the lowest
 * level has food and each below the highest is eaten; null where those that were picked do not make one.
 */
export function foodWeb(habitat: Habitat, counts: readonly number[], spare: number, chance: Random): FoodWeb | null {
  const rows = counts.map((count, level) => chance.shuffle(habitat.levels[level] ?? []).slice(0, count))
  const possible = rows.flatMap((row, level) =>
    row.flatMap(({ name, eats }) =>
      (rows[level - 1] ?? []).filter((below) => eats.includes(below.name)).map((below) => [below.name, name] as const),
    ),
  )
  const arrows = new Set<(typeof possible)[number]>()
  for (const [level, row] of rows.entries()) {
    for (const { name } of row) {
      const foods = possible.filter(([, eater]) => eater === name)
      const eaters = possible.filter(([eaten]) => eaten === name)
      if ((level > 0 && foods.length === 0) || (level < rows.length - 1 && eaters.length === 0)) return null
      if (foods.length > 0) arrows.add(chance.pick(foods))
      if (eaters.length > 0 && !eaters.some((arrow) => arrows.has(arrow))) arrows.add(chance.pick(eaters))
    }
  }
  for (const arrow of chance.shuffle(possible.filter((one) => !arrows.has(one))).slice(0, spare)) arrows.add(arrow)
  return {
    habitat: habitat.name,
    rows: rows.map((row) => row.map(({ name }) => name)),
    arrows: [...arrows],
    spoken: Object.fromEntries(rows.flat().map(({ name, measure, many }) => [name, { measure, many }])),
  }
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
  const opening = chance.pick([`The food web shows ${web.habitat}. `, 'Look at the food web. ', 'Go by the food web. '])
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
  const counted = (one: string): string => `${web.spoken[one]?.measure ?? 'number'} of ${many(one)}`
  const many = (one: string): string => web.spoken[one]?.many ?? one
  const grows = (one: string): string => `The ${counted(one)} would increase.`
  const falls = (one: string): string => `The ${counted(one)} would decrease.`
  const food = foodOf(web, name)
  const eaters = eatersOf(web, name)
  const only = eaters.filter((eater) => foodOf(web, eater).length === 1)
  const right = [...food.map(grows), ...only.map(falls)]
  const wrong = [...food.map(falls), ...eaters.map(grows)]
  const far = web.rows.flat().filter((one) => one !== name && !food.includes(one) && !eaters.includes(one))
  wrong.push(...far.flatMap((one) => [grows(one), falls(one)]))
  if (right.length === 0 || wrong.length < 3) return null
  const answer = chance.pick(right)
  const question = `${opening}What would most likely happen first if all the ${many(name)} disappeared?`
  return { asks: 'change', question, answer, choices: chance.shuffle([answer, ...chance.shuffle(wrong).slice(0, 3)]) }
}
