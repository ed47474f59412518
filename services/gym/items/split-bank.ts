import type { Split } from './item.ts'

/**
 * The half of a bank of names that a split may use: every second name is for tests. Every scene shows at least one
 * name of such a bank, so no scene of one split can occur in the other.
 */
export function bankOf(split: Split, bank: readonly string[]): readonly string[] {
  return bank.filter((_, place) => (place % 2 === 1) === (split === 'test'))
}
