/** What an answer is held against. */
export type AnswerKey = {
  readonly answer: readonly string[]
  readonly answer_type: 'numeric' | 'text' | 'choice' | 'yes_no'
  readonly choices?: readonly string[]
  /** The unit that a number may bear; any other unit makes it wrong. */
  readonly unit?: string
}

export type AnswerCheck = {
  readonly answer_match: boolean
  /** The prediction as compared; null where there was none. */
  readonly prediction_norm: string | null
  readonly match_method: 'number' | 'text' | 'choice_letter' | 'yes_no' | 'none'
}

const numberTolerance = 1e-6
const predictionLettersMax = 2000

/**
 * Holds a prediction against the accepted answers. Numbers must be equal to 1e-6 after thousands
 * separators and the item's own unit are taken away; there is no relative tolerance, since counts and
 * values written on a chart are exact. Words must be equal but for case, accents' composition, spaces,
 * quotes and a full stop. Never throws, whatever the text.
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
  }
}

/** The number in a text such as "1,240 mm", "12.50" or "−3 %"; null if it is not one number with this unit or none. */
export function readNumber(text: string, unit = ''): number | null {
  const plain = normalised(text).replaceAll('−', '-')
  const match = /^([+-]?(?:\d{1,3}(?:[,\s']\d{3})+|\d+)?(?:\.\d+)?)\s*(\D*)$/.exec(plain)
  const digits = match?.[1] ?? ''
  if (!/\d/.test(digits)) return null
  const written = (match?.[2] ?? '').trim()
  const allowed = unit === '%' ? ['%', 'percent', 'per cent'] : [unit.toLowerCase()]
  if (written !== '' && !allowed.includes(written)) return null
  const value = Number(digits.replaceAll(/[,\s']/g, ''))
  return Number.isFinite(value) ? value : null
}

function checkedNumber(norm: string, key: AnswerKey): AnswerCheck {
  const said = readNumber(norm, key.unit)
  const match =
    said !== null &&
    key.answer.some((answer) => {
      const right = readNumber(answer, key.unit)
      return right !== null && Math.abs(right - said) <= numberTolerance
    })
  return { answer_match: match, prediction_norm: said === null ? norm : String(said), match_method: 'number' }
}

function checkedChoice(norm: string, key: AnswerKey): AnswerCheck {
  if (equalsAny(norm, key.answer)) return { answer_match: true, prediction_norm: norm, match_method: 'text' }
  const letter = /^\(?([a-z])\)?$/.exec(norm)?.[1]
  const chosen = letter === undefined ? undefined : key.choices?.[letter.charCodeAt(0) - 'a'.charCodeAt(0)]
  if (chosen === undefined) return { answer_match: false, prediction_norm: norm, match_method: 'text' }
  const chosenNorm = normalised(chosen)
  return { answer_match: equalsAny(chosenNorm, key.answer), prediction_norm: chosenNorm, match_method: 'choice_letter' }
}

function equalsAny(norm: string, answers: readonly string[]): boolean {
  return answers.some((answer) => normalised(answer) === norm)
}

function yesNo(norm: string): 'yes' | 'no' | null {
  if (['yes', 'y', 'true', 'correct'].includes(norm)) return 'yes'
  return ['no', 'n', 'false', 'incorrect'].includes(norm) ? 'no' : null
}

function normalised(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/\s+/g, ' ')
    .trim()
    .replace(/^["'“”*`]+/, '')
    .replace(/["'“”*`.]+$/, '')
    .trim()
}
