import type { Random } from '#services/gym/random.ts'
import type { ItemKind } from './item.ts'

/** How difficulty rises. */
export type DifficultyRule = {
  /** How many levels are drawn from at once. Default 2. */
  readonly window?: number
  /** The share of right answers at the hardest drawn level that opens the next one. Default 0.8. */
  readonly pass?: number
  /** How many answers at that level are looked at, no fewer and no older ones. Default 32. */
  readonly looked_at?: number
}

/** A sliding window over the levels of each kind, which rises with the pass rate and never falls. */
export type Difficulty = {
  /** A level of this kind, from its window. */
  level(kind: ItemKind, chance: Random): number
  /** Tells of an answer. */
  answered(kind: ItemKind, level: number, correct: boolean): void
  /** The window of this kind, as [lowest, highest] level. */
  window(kind: ItemKind): readonly [number, number]
}

/** A difficulty that starts at the easiest level. */
export function risingDifficulty({ window = 2, pass = 0.8, looked_at = 32 }: DifficultyRule = {}): Difficulty {
  const top = new Map<string, { level: number; answers: boolean[] }>()
  const of = (kind: ItemKind) => {
    const known = top.get(kind.kind) ?? { level: 0, answers: [] }
    top.set(kind.kind, known)
    return known
  }
  const range = (kind: ItemKind): readonly [number, number] => {
    const { level } = of(kind)
    return [Math.max(0, level - window + 1), level]
  }
  return {
    window: range,
    level(kind, chance) {
      const [lowest, highest] = range(kind)
      return chance.int(lowest, highest + 1)
    },
    answered(kind, level, correct) {
      const known = of(kind)
      if (level !== known.level || known.level >= kind.levels.length - 1) return
      known.answers.push(correct)
      if (known.answers.length > looked_at) known.answers.shift()
      const right = known.answers.filter(Boolean).length
      if (known.answers.length === looked_at && right >= pass * looked_at)
        top.set(kind.kind, { level: level + 1, answers: [] })
    },
  }
}
