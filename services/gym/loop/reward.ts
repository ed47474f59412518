import { checkedAnswer } from './answer-check.ts'
import { formatViolations } from './turn-grammar.ts'
import type { AnswerCheck, AnswerKey } from './answer-check.ts'
import type { RepetitionLevel } from './repetition.ts'
import type { FormatRule, FormatViolation, Turn } from './turn-grammar.ts'

/** The name of this reward, for `reward_version`. */
export const vistaRewardVersion = 'vista-1'

export type RewardParts = { readonly rep: number; readonly format: number; readonly correct: number }

export type Score = AnswerCheck & {
  readonly reward: number
  readonly parts: RewardParts
  readonly rep_level: RepetitionLevel
  /** Told of every rollout, also where a repetition keeps it out of the reward. */
  readonly format_ok: boolean
  readonly format_violations: readonly FormatViolation[]
  readonly prediction_raw: string | null
}

/** What the reward needs of a turn. */
export type TurnFacts = Pick<Turn, 'action_kind' | 'answer_text' | 'violations'> & {
  readonly rep_level: RepetitionLevel
}

export type ScoreRule = { readonly format?: FormatRule; readonly needs_tool_call: boolean }

const repetitionPenalty: Record<RepetitionLevel, number> = { none: 0, moderate: -1.5, severe: -2, extreme: -3 }

/**
 * R = R_rep + R_format + R_correct of arXiv 2511.19773, 5.2. Repetition is looked at first and stands
 * alone; format is +1 or -1; a right answer adds 1, but only to a rollout of good form. So R is one of
 * -3, -2, -1.5, -1, 1, 2. `answer_match` says whether the answer was right whatever its form.
 */
export function scoredTurns(turns: readonly TurnFacts[], key: AnswerKey, rule: ScoreRule): Score {
  const prediction = turns.at(-1)?.answer_text ?? null
  const check = checkedAnswer(prediction, key)
  const violations = formatViolations(turns, rule)
  const level = worstLevel(turns)
  const parts = rewardParts(level, violations.length === 0, check.answer_match)
  return {
    ...check,
    reward: parts.rep + parts.format + parts.correct,
    parts,
    rep_level: level,
    format_ok: violations.length === 0,
    format_violations: violations,
    prediction_raw: prediction,
  }
}

/** The parts, each withheld (0) where an earlier one rules it out. */
export function rewardParts(level: RepetitionLevel, formatOk: boolean, answerMatch: boolean): RewardParts {
  if (level !== 'none') return { rep: repetitionPenalty[level], format: 0, correct: 0 }
  if (!formatOk) return { rep: 0, format: -1, correct: 0 }
  return { rep: 0, format: 1, correct: answerMatch ? 1 : 0 }
}

function worstLevel(turns: readonly TurnFacts[]): RepetitionLevel {
  const penalties = turns.map(({ rep_level }) => rep_level)
  return penalties.toSorted((left, right) => repetitionPenalty[left] - repetitionPenalty[right])[0] ?? 'none'
}
