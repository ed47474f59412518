/** How long rollouts are: right against wrong, and how many ran out of room. */
import { type Bucket, type Dimension, bucketsOf } from './buckets.ts'
import { at } from './columns.ts'
import { statisticsOfBuckets } from './kept-buckets.ts'
import type { Selection } from './select.ts'
import { Gathered, type Summary, share, summary } from './statistics.ts'

/** The lengths of the rollouts that were right, or of those that were wrong. */
export interface Lengths {
  readonly n: number
  /** Tokens written: as the finish says, else added over steps; rollouts of which nothing is known are not in it. */
  readonly tokens: Summary
  /** How many have known tokens. */
  readonly n_tokens: number
  readonly steps: Summary
  readonly tool_calls_mean: number | null
}

export interface LengthStatistics {
  /** Finished trajectories. */
  readonly n: number
  readonly right: Lengths
  readonly wrong: Lengths
  /** Finished trajectories without a score, which are neither. */
  readonly n_unscored: number
  readonly n_truncated: number
  readonly truncated_share: number | null
  /** Ended by max_tokens, or with as many tokens as the limit that was given. */
  readonly n_overlong: number
  readonly overlong_share: number | null
}

/** Tokens that the policy wrote, or NaN where nobody said. */
export function tokensWritten({ frame }: Selection, row: number): number {
  const told = at(frame.responseTokens.values, row)
  if (!Number.isNaN(told)) return told
  const added = at(frame.stepCompletionTokens.values, row)
  return added > 0 ? added : Number.NaN
}

class Side {
  readonly tokens = new Gathered()
  readonly steps = new Gathered()
  calls = 0
  n = 0

  add(tokens: number, steps: number, calls: number): void {
    this.n += 1
    if (!Number.isNaN(tokens)) this.tokens.add(tokens)
    this.steps.add(steps)
    this.calls += calls
  }

  /** Begins anew in the same memory. */
  clear(): void {
    this.n = 0
    this.calls = 0
    this.tokens.clear()
    this.steps.clear()
  }

  get lengths(): Lengths {
    return {
      n: this.n,
      tokens: summary(this.tokens.values),
      n_tokens: this.tokens.size,
      steps: summary(this.steps.values),
      tool_calls_mean: this.n === 0 ? null : this.calls / this.n,
    }
  }
}

function statisticsOf(
  selection: Selection,
  rows: Uint32Array,
  tokensMax: number | undefined,
  { right, wrong }: Readonly<Record<'right' | 'wrong', Side>>,
): LengthStatistics {
  const { frame, scores } = selection
  right.clear()
  wrong.clear()
  const truncatedCode = frame.status.dictionary.codeOf('truncated')
  const maxTokensCode = frame.endReason.dictionary.codeOf('max_tokens')
  let [n, unscored, truncated, overlong] = [0, 0, 0, 0]
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    if (frame.finished.values[row] !== 1) continue
    n += 1
    const tokens = tokensWritten(selection, row)
    if (frame.status.codes[row] === truncatedCode) truncated += 1
    const ranOut = maxTokensCode !== undefined && frame.endReason.codes[row] === maxTokensCode
    if (ranOut || (tokensMax !== undefined && tokens >= tokensMax)) overlong += 1
    const correct = scores.correct.values[row] ?? -1
    if (correct < 0) {
      unscored += 1
      continue
    }
    const said = at(frame.nSteps.values, row)
    const steps = Number.isNaN(said) ? at(frame.nStepsSeen.values, row) : said
    const side = correct === 1 ? right : wrong
    side.add(tokens, steps, at(frame.nToolCalls.values, row))
  }
  return {
    n,
    right: right.lengths,
    wrong: wrong.lengths,
    n_unscored: unscored,
    n_truncated: truncated,
    truncated_share: share(truncated, n),
    n_overlong: overlong,
    overlong_share: share(overlong, n),
  }
}

/** A row for each bucket. `tokensMax` is the limit from which a rollout is overlong, besides those that ended by it. */
export function lengthSeries(
  selection: Selection,
  by: readonly Dimension[],
  tokensMax: number | undefined,
): { readonly bucket: Bucket; readonly statistics: LengthStatistics }[] {
  const sides = { right: new Side(), wrong: new Side() }
  return statisticsOfBuckets(selection, `lengths ${tokensMax}`, bucketsOf(selection, by), (changed) =>
    changed.map(({ rows }) => statisticsOf(selection, rows, tokensMax, sides)),
  )
}
