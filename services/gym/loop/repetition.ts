export type RepetitionLevel = 'none' | 'moderate' | 'severe' | 'extreme'

/** The paper names the levels but not their limits; these are ours, in repeats in a row. */
const limits = { words: [5, 10, 20], letters: [20, 40, 80] } as const
const phraseWordsMax = 16
const patternLettersMax = 6

/**
 * How badly a text repeats itself: the same phrase of up to 16 words, or the same pattern of up to
 * 6 letters, over and over without a break. Linear in the length of the text.
 */
export function repetitionLevel(text: string): RepetitionLevel {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  const level = Math.max(
    rank(longestRun(words, phraseWordsMax), limits.words),
    rank(longestRun(letterRuns(text), patternLettersMax), limits.letters),
  )
  return (['none', 'moderate', 'severe', 'extreme'] as const)[level] ?? 'none'
}

function rank(repeats: number, steps: readonly number[]): number {
  return steps.filter((step) => repeats >= step).length
}

/** Letters and digits only count; rules such as ----- and spaces are made different from each other. */
function letterRuns(text: string): string[] {
  return Array.from(text, (letter, place) => (/[\p{L}\p{N}]/u.test(letter) ? letter : `break ${place}`))
}

/** The most times that any unit of 1 to `unitMax` tokens stands in a row. */
function longestRun(tokens: readonly string[], unitMax: number): number {
  let most = tokens.length > 0 ? 1 : 0
  for (let unit = 1; unit <= unitMax; unit++) {
    let same = 0
    for (let place = unit; place < tokens.length; place++) {
      same = tokens[place] === tokens[place - unit] ? same + 1 : 0
      most = Math.max(most, Math.floor(same / unit) + 1)
    }
  }
  return most
}
