/** How counts of tokens come about here; kept in the run's config, since no tokenizer is run. */
export const tokenRule = 'characters / 4, rounded up; 256 for an image'

const imageTokens = 256

/** An estimate of the tokens of a text: one for every 4 UTF-16 units, rounded up. */
export function estimatedTokens(text: string, images = 0): number {
  return Math.ceil(text.length / 4) + images * imageTokens
}
