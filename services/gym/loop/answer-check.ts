import { isPercent, nearness, normalised, readList, readNumber, writtenNumber } from './answer-forms.ts'

export { readNumber } from './answer-forms.ts'

/** What an answer is held against. */
export type AnswerKey = {
  /** The accepted answers; for a list, the items of the one right list. */
  readonly answer: readonly string[]
  readonly answer_type: 'numeric' | 'text' | 'choice' | 'yes_no' | 'list'
  readonly choices?: readonly string[]
  /** The unit that a number may bear; any other unit makes it wrong. Units of one measure are turned into each other. */
  readonly unit?: string
  /** How far a number may be off, as a share of the right one. Default 0: equal but for 1e-6. */
  readonly tolerance?: number
  /** Of a list: whether the order matters. Default false. */
  readonly ordered?: boolean
}

export type AnswerCheck = {
  readonly answer_match: boolean
  /** The prediction as compared; null where there was none. */
  readonly prediction_norm: string | null
  readonly match_method: 'number' | 'number_tolerance' | 'text' | 'choice_letter' | 'yes_no' | 'list' | 'none'
}

const predictionLettersMax = 2000

/**
 * Holds a prediction against the accepted answers. Numbers must be equal to 1e-6 after thousands separators and the
 * item's own unit are taken away, or lie within the key's tolerance; for a percentage its share is taken too (0.45 for
 * 45 %). Words must be equal but for case, accents' composition, spaces, quotes and a full stop. Never throws, whatever
 * the text.
 */
export function checkedAnswer(prediction: string | null, key: AnswerKey): AnswerCheck {
  if (prediction === null || prediction.length > predictionLettersMax) {
    return { answer_match: false, prediction_norm: null, match_method: 'none' }
  }
  const norm = normalised(prediction)
  switch (key.answer_type) {
    case 'numeric':
      return checkedNumber(norm, key)
    case 'yes_no': {
      const said = yesNo(norm)
      const match = said !== null && key.answer.some((answer) => yesNo(normalised(answer)) === said)
      return { answer_match: match, prediction_norm: said ?? norm, match_method: 'yes_no' }
    }
    case 'choice':
      return checkedChoice(norm, key)
    case 'text':
      return { answer_match: equalsAny(norm, key.answer), prediction_norm: norm, match_method: 'text' }
    case 'list':
      return checkedList(prediction, key)
  }
}

function checkedNumber(norm: string, key: AnswerKey): AnswerCheck {
  const said = readNumber(norm, key.unit)
  if (said === null) return { answer_match: false, prediction_norm: norm, match_method: 'number' }
  // 0.45 means the same as 45 %, unless it bears the sign itself.
  const bare = isPercent(key.unit) && writtenNumber(norm)?.unit === ''
  const found = key.answer.map((answer) => {
    const right = readNumber(answer, key.unit)
    if (right === null) return 'off'
    const plain = nearness(said, right, key.tolerance)
    return plain === 'off' && bare ? nearness(said * 100, right, key.tolerance) : plain
  })
  const exact = found.includes('exact')
  return {
    answer_match: exact || found.includes('near'),
    prediction_norm: String(said),
    match_method: !exact && found.includes('near') ? 'number_tolerance' : 'number',
  }
}

function checkedChoice(norm: string, key: AnswerKey): AnswerCheck {
  if (equalsAny(norm, key.answer)) return { answer_match: true, prediction_norm: norm, match_method: 'text' }
  const { letter, rest } = /^\(?(?<letter>[a-z])(?:\)|[.:)]\s+(?<rest>.+))?$/.exec(norm)?.groups ?? {}
  const chosen = letter === undefined ? undefined : key.choices?.[letter.charCodeAt(0) - 'a'.charCodeAt(0)]
  if (chosen === undefined) return { answer_match: false, prediction_norm: norm, match_method: 'text' }
  const chosenNorm = normalised(chosen)
  // "B. Pear" is held to both: a letter that says one thing and words that say another are no answer.
  const agrees = rest === undefined || normalised(rest) === chosenNorm
  return {
    answer_match: agrees && equalsAny(chosenNorm, key.answer),
    prediction_norm: agrees ? chosenNorm : norm,
    match_method: 'choice_letter',
  }
}

function checkedList(prediction: string, key: AnswerKey): AnswerCheck {
  const said = readList(prediction)
  const right = key.answer.map(normalised)
  const same = (left: string, other: string): boolean => {
    const [one, two] = [readNumber(left, key.unit), readNumber(other, key.unit)]
    return one !== null && two !== null ? nearness(one, two, key.tolerance) !== 'off' : left === other
  }
  const left = [...said]
  const matches =
    said.length === right.length &&
    right.every((item, place) => {
      if (key.ordered === true) return same(said[place] ?? '', item)
      const found = left.findIndex((other) => same(other, item))
      if (found >= 0) left.splice(found, 1)
      return found >= 0
    })
  return { answer_match: matches, prediction_norm: said.join(', '), match_method: 'list' }
}

function equalsAny(norm: string, answers: readonly string[]): boolean {
  return answers.some((answer) => normalised(answer) === norm)
}

function yesNo(norm: string): 'yes' | 'no' | null {
  if (['yes', 'y', 'true', 'correct'].includes(norm)) return 'yes'
  return ['no', 'n', 'false', 'incorrect'].includes(norm) ? 'no' : null
}
