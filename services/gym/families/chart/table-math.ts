/** The word that needs the fewest letters changed to become the wanted one: its place and how many (Levenshtein). */
export function bestSpan(words: readonly string[], wanted: string): readonly [place: number, changed: number] {
  const changed = words.map((word) => lettersChanged(word, wanted))
  const least = Math.min(Number.POSITIVE_INFINITY, ...changed)
  return [changed.indexOf(least), least]
}

function lettersChanged(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, place) => place)
  for (let line = 0; line < from.length; line++) {
    const next = [line + 1]
    for (let place = 1; place <= to.length; place++) {
      const swap = (row[place - 1] ?? 0) + (to[place - 1] === from[line] ? 0 : 1)
      next.push(Math.min(swap, (row[place] ?? 0) + 1, (next[place - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
