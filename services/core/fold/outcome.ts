/** What became of a fact. */

export type Outcome =
  | { readonly verdict: 'accepted' }
  | { readonly verdict: 'duplicate'; readonly firstOffset: number }
  | { readonly verdict: 'conflict'; readonly firstOffset: number; readonly code: string; readonly message: string }

export const ACCEPTED: Outcome = { verdict: 'accepted' }

/** The outcome of a key that came before: equal content is a duplicate, other content a conflict. */
export function again(firstOffset: number, firstHash: string, contentHash: string): Outcome {
  if (firstHash === contentHash) return { verdict: 'duplicate', firstOffset }
  return {
    verdict: 'conflict',
    firstOffset,
    code: 'other_content',
    message: 'the same key came before with other content; the first one counts',
  }
}
