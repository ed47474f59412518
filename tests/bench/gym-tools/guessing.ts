/** What one gets right with no look at the picture. */
import { checkedAnswer, type AnswerKey } from '#services/gym/loop/answer-check.ts'
import { random } from '#services/gym/random.ts'
import type { ItemKind, Split } from '#services/gym/items/item.ts'
import type { Share } from './tally.ts'

/** As many training items are learned from, and as many test items guessed. */
export const guessedItems = 40

/** A choice at random, or else the answer that training items of that kind and type of answer have most often. */
export function guessed(kind: ItemKind, seed: number, items = guessedItems): Share {
  const keys = (split: Split): AnswerKey[] =>
    Array.from(
      { length: items },
      (_, index) => kind.make({ seed, split, index, level: index % kind.levels.length, style: 'ordinary' }).key,
    )
  const counts = new Map<string, Map<string, number>>()
  for (const { answer_type, answer } of keys('train')) {
    const [first = ''] = answer
    const known = counts.get(answer_type) ?? new Map<string, number>()
    counts.set(answer_type, known.set(first, (known.get(first) ?? 0) + 1))
  }
  const usual = (type: string): string => [...(counts.get(type) ?? [])].toSorted((a, b) => b[1] - a[1])[0]?.[0] ?? ''
  const chance = random(seed, kind.kind, 'guess')
  const right = keys('test').filter((key) => {
    const guess = key.choices === undefined ? usual(key.answer_type) : chance.pick(key.choices)
    return checkedAnswer(guess, key).answer_match
  }).length
  return { right, of: items }
}
