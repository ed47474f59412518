import { alignedGroups, mean, scaleOf, type Scale, type Word } from './words.ts'

/** The value axis on the left: numbers that end at one place; `left` is where marks begin, `zero` the foot of bars. */
export function scaleOnLeft(words: readonly Word[], left: number, zero?: number): Scale | null {
  const numbers = words.filter((word) => word.number !== null && word.right < left)
  return bestScale(
    alignedGroups(numbers, (word) => word.right, 6),
    (word) => word.y,
    zero,
  )
}

/** The value axis below: numbers in one row; `bottom` is where marks end. */
export function scaleBelow(words: readonly Word[], bottom: number, zero?: number): Scale | null {
  const numbers = words.filter((word) => word.number !== null && word.y > bottom)
  return bestScale(
    alignedGroups(numbers, (word) => word.y, 4),
    (word) => word.x,
    zero,
  )
}

function bestScale(groups: readonly (readonly Word[])[], pixel: (word: Word) => number, zero?: number): Scale | null {
  const scales = groups.slice(0, 3).flatMap((words) => {
    const scale = scaleOf(
      words.map((word) => ({ pixel: pixel(word), value: word.number ?? 0 })),
      zero,
    )
    return scale === null ? [] : [scale]
  })
  return scales.toSorted((a, b) => b.ticks - a.ticks)[0] ?? null
}

/** The row of words under a base line, left to right; the ones of the value axis are left out. */
export function rowBelow(words: readonly Word[], base: number, left: number, right: number): Word[] {
  const under = words.filter((word) => word.y > base + 2 && word.y < base + 36 && word.x > left && word.x < right)
  const rows = alignedGroups(under, (word) => word.y, 4)
  const nearest = rows.toSorted((a, b) => mean(a.map(({ y }) => y)) - mean(b.map(({ y }) => y)))
  const row = nearest.find((each) => each.length >= 2) ?? []
  return row.toSorted((a, b) => a.x - b.x)
}

/** The word whose middle is nearest along an axis, within `reach`. */
export function nearestWord(words: readonly Word[], along: 'x' | 'y', place: number, reach: number): Word | undefined {
  const near = words.filter((word) => Math.abs(word[along] - place) <= reach)
  return near.toSorted((a, b) => Math.abs(a[along] - place) - Math.abs(b[along] - place))[0]
}
