/** Which items to roll out next. Pure: equal tallies, options and seed give equal items, each with why. */
import { type Fraction, betweenTest } from './fraction.ts'
import { luckOf } from './luck.ts'
import type { Tally } from './tally.ts'

/** What is known of an item: rollouts, and those of them that were right. */
type Counted = Pick<Tally, 'n' | 'passed'>

export const STRATEGIES = ['tail_patch', 'frontier', 'uniform', 'weighted', 'dapo', 'adarft', 'balanced'] as const
export type Strategy = (typeof STRATEGIES)[number]

/** What is known of an item that may be drawn. */
export interface Candidate<Known extends Counted = Counted> {
  readonly item_id: string
  /** Absent for an item that was never rolled out. */
  readonly tally: Known | undefined
}

/** The settings of AdaRFT as published (arXiv 2504.05520, difficulty from 0 to 100). */
export interface AdaRft {
  /** The step size eta. */
  readonly step: number
  /** The sensitivity alpha. */
  readonly sensitivity: number
  /** The target reward beta. */
  readonly target_reward: number
  /** The target difficulty before the first train step. */
  readonly initial: number
}
export const ADARFT: AdaRft = { step: 50, sensitivity: 2, target_reward: 0.5, initial: 0 }
const DIFFICULTY_MAX = 100

export interface NextOptions {
  readonly strategy: Strategy
  readonly n: number
  readonly seed: number
  /** Fewer rollouts than this say nothing of an item; uniform and weighted take it all the same. */
  readonly minN: number
  /** Bounds of tail_patch and balanced, both included. */
  readonly low: Fraction
  readonly high: Fraction
  /** The target difficulty of adarft. */
  readonly target: number
}

export interface Drawn<Known extends Counted = Counted> {
  readonly item_id: string
  readonly tally: Known | undefined
  /** In words. */
  readonly why: string
  /** What it was ranked by: greater is drawn first, equal by the seed. */
  readonly score: number
}

/** How likely the item is to be passed, as its rollouts and one of each kind say: never 0 and never 1. */
const smoothed = (tally: Counted | undefined): number => ((tally?.passed ?? 0) + 1) / ((tally?.n ?? 0) + 2)

/** The difficulty of an item from 0 (always right) to 100 (never). */
const difficultyOf = ({ passed, n }: Counted): number => (DIFFICULTY_MAX * (n - passed)) / n

/**
 * The target difficulty after these shares of right rollouts, one for each train step in order:
 * T' = clip(T + step * tanh(sensitivity * (share - target_reward)), 0, 100).
 */
export function targetDifficulty(shares: readonly number[], settings: AdaRft): number {
  let target = settings.initial
  for (const share of shares) {
    const moved = target + settings.step * Math.tanh(settings.sensitivity * (share - settings.target_reward))
    target = Math.min(DIFFICULTY_MAX, Math.max(0, moved))
  }
  return target
}

const text = (value: number): string => String(Math.round(value * 1e4) / 1e4)
const counts = ({ passed, n }: Counted): string => `${passed} of ${n} right`

interface Judge {
  /** The rank of a candidate, or undefined where the strategy does not take it. */
  score(tally: Counted | undefined, luck: number): number | undefined
  why(tally: Counted | undefined): string
}

/** A judge of items that were rolled out often enough. */
function ofKnown(minN: number, score: (tally: Counted) => number | undefined, why: (tally: Counted) => string): Judge {
  return {
    score: (tally) => (tally === undefined || tally.n < minN ? undefined : score(tally)),
    why: (tally) => (tally === undefined ? '' : why(tally)),
  }
}

const toldOf = (tally: Counted | undefined): string => (tally === undefined ? 'never rolled out' : counts(tally))

function judgeOf({ strategy, minN, low, high, target }: NextOptions): Judge {
  const between = betweenTest(low, high)
  const bounds = `within ${low.top}/${low.bottom} and ${high.top}/${high.bottom}`
  const inBounds = ({ passed, n }: Counted): number | undefined => (between(passed, n) ? 0 : undefined)
  const fromHalf = ({ passed, n }: Counted): number => Math.abs(2 * passed - n) / (2 * n)
  const weight = (tally: Counted | undefined): number => smoothed(tally) * (1 - smoothed(tally))
  switch (strategy) {
    case 'tail_patch':
      return ofKnown(minN, inBounds, (tally) => `${counts(tally)}, ${bounds}`)
    case 'balanced':
      return ofKnown(minN, inBounds, (tally) => `${counts(tally)}, ${bounds}, where p(1-p) is large`)
    case 'dapo':
      return ofKnown(
        minN,
        ({ passed, n }) => (passed > 0 && passed < n ? 0 : undefined),
        (tally) => `${counts(tally)}: some right and some wrong, so that its group has a gradient`,
      )
    case 'frontier':
      return ofKnown(
        minN,
        (tally) => -fromHalf(tally),
        (tally) => `${counts(tally)}, ${text(fromHalf(tally))} from one half`,
      )
    case 'adarft':
      return ofKnown(
        minN,
        (tally) => -Math.abs(difficultyOf(tally) - target),
        (tally) => `${counts(tally)}: difficulty ${text(difficultyOf(tally))}, and the target is ${text(target)}`,
      )
    case 'uniform':
      return { score: () => 0, why: (tally) => `${toldOf(tally)}; every item is as likely` }
    case 'weighted':
      return {
        // Efraimidis and Spirakis: the n greatest of luck^(1/weight) are a draw by weight without putting back.
        score: (tally, luck) => Math.log(luck) / weight(tally),
        why: (tally) =>
          `${toldOf(tally)}: weight p(1-p) = ${text(weight(tally))} with p = ${text(smoothed(tally))}, one of each kind added`,
      }
  }
}

interface Ranked<Known extends Counted> {
  readonly candidate: Candidate<Known>
  readonly score: number
  readonly luck: number
}

const byRank = (left: Ranked<Counted>, right: Ranked<Counted>): number =>
  right.score - left.score || left.luck - right.luck || (left.candidate.item_id < right.candidate.item_id ? -1 : 1)

/** Draws items: the greatest scores first, equal ones by the luck of seed and item. At most `n`, fewer where fewer fit. */
export function drawNext<Known extends Counted>(
  candidates: Iterable<Candidate<Known>>,
  options: NextOptions,
): { readonly drawn: Drawn<Known>[]; readonly n_candidates: number } {
  const judge = judgeOf(options)
  const ranked: Ranked<Known>[] = []
  for (const candidate of candidates) {
    const luck = luckOf(options.seed, candidate.item_id)
    const score = judge.score(candidate.tally, luck)
    if (score !== undefined) ranked.push({ candidate, score, luck })
  }
  const drawn = ranked
    .sort(byRank)
    .slice(0, options.n)
    .map(({ candidate: { item_id, tally }, score }) => ({ item_id, tally, score, why: judge.why(tally) }))
  return { drawn, n_candidates: ranked.length }
}
