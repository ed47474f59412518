/** The known word nearest to a mistyped one, for error messages that help. */

/** Letters changed, added, left out or swapped with their neighbour. */
function distance(left: string, right: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const substitution = (previous[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1)
      const isSwap = row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      const swap = isSwap ? (beforePrevious[column - 2] ?? 0) + 1 : Infinity
      current.push(Math.min(substitution, swap, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    beforePrevious = previous
    previous = current
  }
  return previous[right.length] ?? 0
}

/**
 * The word of `known` nearest to `given` by edit distance, or undefined where none is near
 * (more than half of the letters differ). Only the first 64 letters of `given` are looked at.
 */
export function nearest(given: string, known: Iterable<string>): string | undefined {
  const word = given.slice(0, 64).toLowerCase()
  let best: string | undefined
  let bestDistance = Infinity
  for (const candidate of known) {
    const found = distance(word, candidate.toLowerCase())
    if (found < bestDistance) {
      best = candidate
      bestDistance = found
    }
  }
  return best !== undefined && bestDistance <= Math.max(word.length, best.length) / 2 ? best : undefined
}
