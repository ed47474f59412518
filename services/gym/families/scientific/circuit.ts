import type { Random } from '#services/gym/random.ts'
import type { Split } from '#services/gym/items/item.ts'

/** A ladder: rungs beside the source, each with resistors in series; some in the top wire before a rung. */
export type Circuit = {
  readonly volts: number
  /** Resistances from the source outwards: `top` in the wire before the rung, `rung` on it, in ohms. */
  readonly sections: readonly { readonly top: readonly number[]; readonly rung: readonly number[] }[]
}

/** Whole ohms; those of the two splits leave other rests when divided by two. */
const ohms: Readonly<Record<Split, readonly number[]>> = {
  train: [3, 5, 7, 9, 11, 15, 21, 25, 33, 45],
  test: [2, 4, 6, 8, 10, 12, 16, 18, 20, 24, 30, 36, 40, 60],
}

export type CircuitPlan = 'series' | 'parallel' | 'mixed'

export function circuit(plan: CircuitPlan, split: Split, chance: Random): Circuit {
  const value = (): number => chance.pick(ohms[split])
  const values = (count: number): number[] => Array.from({ length: count }, value)
  const volts = chance.pick(split === 'train' ? [3, 9, 15, 27, 45] : [6, 12, 18, 24, 36])
  if (plan === 'series') {
    const top = chance.int(1, 3)
    return { volts, sections: [{ top: values(top), rung: values(1) }] }
  }
  if (plan === 'parallel') {
    const rungs = chance.int(2, 4)
    return { volts, sections: Array.from({ length: rungs }, () => ({ top: [], rung: values(1) })) }
  }
  const shape = chance.int(0, 4)
  if (shape === 0)
    return {
      volts,
      sections: [
        { top: values(1), rung: values(1) },
        { top: [], rung: values(1) },
      ],
    }
  if (shape === 1)
    return {
      volts,
      sections: [
        { top: [], rung: values(1) },
        { top: values(1), rung: values(1) },
      ],
    }
  if (shape === 2)
    return {
      volts,
      sections: [
        { top: values(1), rung: values(1) },
        { top: values(1), rung: values(1) },
      ],
    }
  return {
    volts,
    sections: [
      { top: values(1), rung: values(2) },
      { top: [], rung: values(1) },
    ],
  }
}

/** The resistance that the source sees, in ohms, folded from the far end: a closed formula. */
export function totalOhms({ sections }: Circuit): number {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  let beyond = Infinity
  for (const { top, rung } of sections.toReversed()) beyond = sum(top) + 1 / (1 / sum(rung) + 1 / beyond)
  return beyond
}
