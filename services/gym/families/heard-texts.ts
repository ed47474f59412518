import type { ExpertHeard } from '#services/gym/policies/policy.ts'

/** A text that an OCR tool placed, in pixels. */
export type HeardText = {
  readonly text: string
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
  readonly x: number
  readonly y: number
}

/** The lines `text [left, top, right, bottom]` of what a tool said. */
export function heardTexts({ text }: ExpertHeard): HeardText[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(.*?)\s*\[(\d+), (\d+), (\d+), (\d+)\]\s*$/.exec(line)
    if (match === null) return []
    const [left = 0, top = 0, right = 0, bottom = 0] = match.slice(2).map(Number)
    return [{ text: (match[1] ?? '').trim(), left, top, right, bottom, x: (left + right) / 2, y: (top + bottom) / 2 }]
  })
}

/** Letters and figures only, so that marks and spaces do not part two readings of the same words. */
export function plainWords(text: string): string {
  return text.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '')
}

/** How many letters must change to make one text of the other (Levenshtein), after `plainWords`. */
export function lettersApart(one: string, other: string): number {
  const [a, b] = [plainWords(one), plainWords(other)]
  let row = Array.from({ length: b.length + 1 }, (_, place) => place)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

/** Whether a text as read means these words: at most one letter in four is another. */
export function means(read: string, words: string): boolean {
  return lettersApart(read, words) <= plainWords(words).length / 4
}

/** The element whose words are nearest to `words`; undefined of none, or where more than half the letters differ. */
export function nearestTo<T>(words: string, list: readonly T[], of: (one: T) => string): T | undefined {
  const [best] = list.toSorted((one, other) => lettersApart(of(one), words) - lettersApart(of(other), words))
  return best === undefined || lettersApart(of(best), words) > plainWords(words).length / 2 ? undefined : best
}

/** The texts in quotes of a question. */
export function quoted(question: string): string[] {
  return [...question.matchAll(/“([^”]*)”/g)].map((match) => match[1] ?? '')
}

/** What an expert answers that has found nothing: the first choice, yes to a question that begins with a verb, or 1. */
export function guess(question: string, choices: readonly string[]): string {
  return choices[0] ?? (/^(?:Do|Does|Is|Are)\b/.test(question) ? 'no' : '1')
}
