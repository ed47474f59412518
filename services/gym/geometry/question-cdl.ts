/** What the words of a question state and ask, as literals. */
export type QuestionCdl = { readonly text_cdl: readonly string[]; readonly goal_cdl: string | null }

type Pattern = readonly [RegExp, (...found: string[]) => string]

const line = '(?:line |segment |chord |side )?([A-Z]{2})'
const angle = '(?:∠|angle )\\s?([A-Z]{3}|[A-Z])(?![A-Za-z])'
const expression = '([0-9x]+(?:[.+-][0-9x]+)*)'
const shapes = 'parallelogram|rectangle|rhombus|square|trapezoid'

const patterns: readonly Pattern[] = [
  [
    new RegExp(`${line} ?(?:∥|\\|\\||is parallel to|parallel to) ?${line}`, 'g'),
    (a, b) => `ParallelBetweenLine(${a},${b})`,
  ],
  [
    new RegExp(`${line} ?(?:⊥|is perpendicular to|perpendicular to) ?${line}`, 'g'),
    (a, b) => `PerpendicularBetweenLine(${a},${b})`,
  ],
  [new RegExp(`${line} is (?:a )?tangent to circle ([A-Z])`, 'g'), (a, o) => `IsTangentOfCircle(${a},${o})`],
  [new RegExp(`([A-Z]) is the midpoint of ${line}`, 'g'), (m, a) => `IsMidpointOfLine(${m},${a})`],
  [new RegExp(`${line} bisects ${angle}`, 'g'), (a, b) => `IsBisectorOfAngle(${a},${b})`],
  [new RegExp(`([A-Z]{4}) is an? (${shapes})`, 'g'), (points, kind) => `${titled(kind)}(${points})`],
  [
    new RegExp(`${angle} ?(?:=|is equal to|equals) ?${angle}`, 'g'),
    (a, b) => `Equal(MeasureOfAngle(${a}),MeasureOfAngle(${b}))`,
  ],
  [
    new RegExp(`${angle} ?(?:=|is|measures) ?\\(?${expression}\\)?(?: ?°| degrees)?`, 'g'),
    (a, value) => `Equal(MeasureOfAngle(${a}),${value})`,
  ],
  [new RegExp(`${angle} is a right angle`, 'g'), (a) => `Equal(MeasureOfAngle(${a}),90)`],
  [
    /(?<![A-Z∠])([A-Z]{2}) ?(?:=|is equal to|equals) ?([A-Z]{2})(?![A-Z])/g,
    (a, b) => `Equal(LengthOfLine(${a}),LengthOfLine(${b}))`,
  ],
  [
    new RegExp(`(?<![A-Z∠])([A-Z]{2}) ?(?:=|is|measures) ?${expression}(?! ?°)`, 'g'),
    (a, value) => `Equal(LengthOfLine(${a}),${value})`,
  ],
  [/triangle ([A-Z]{3}) is similar to triangle ([A-Z]{3})/g, (a, b) => `SimilarBetweenTriangle(${a},${b})`],
  [/△ ?([A-Z]{3}) ?∼ ?△ ?([A-Z]{3})/g, (a, b) => `SimilarBetweenTriangle(${a},${b})`],
  [/radius of (?:circle )?([A-Z]) is (\d+(?:\.\d+)?)/g, (o, value) => `Equal(RadiusOfCircle(${o}),${value})`],
]

const goals: readonly Pattern[] = [
  [/value of ([a-z])\b/g, (x) => `Value(${x})`],
  [new RegExp(`(?:measure|size) of ${angle}`, 'g'), (a) => `Value(MeasureOfAngle(${a}))`],
  [/(?:length|measure) of (?:line |segment |chord |side )?([A-Z]{2})(?![A-Z])/g, (a) => `Value(LengthOfLine(${a}))`],
  [/circumference of (?:circle )?([A-Z])(?![A-Z])/g, (o) => `Value(PerimeterOfCircle(${o}))`],
  [/(area|perimeter) of circle ([A-Z])(?![A-Z])/g, (what, o) => `Value(${titled(what)}OfCircle(${o}))`],
  [
    /(area|perimeter) of (triangle|quadrilateral|polygon|parallelogram|rectangle|rhombus|square|trapezoid) ([A-Z]{3,6})/g,
    (what, kind, points) => `Value(${titled(what)}Of${titled(kind)}(${points}))`,
  ],
  [/radius of circle ([A-Z])(?![A-Z])/g, (o) => `Value(RadiusOfCircle(${o}))`],
  [new RegExp(`(?:find|what is|work out) (?:m ?)?${angle}`, 'gi'), (a) => `Value(MeasureOfAngle(${a}))`],
  [/(?:[Ff]ind|[Ww]hat is|[Ww]ork out) ([A-Z]{2})(?![A-Z])/g, (a) => `Value(LengthOfLine(${a}))`],
  [/(?:[Ff]ind|[Ww]ork out) ([a-z])\b/g, (x) => `Value(${x})`],
]

const lettersMax = 4000

/** Reads literals out of a question in the words of text books. What it does not know is left out. */
export function questionCdl(question: string): QuestionCdl {
  const words = question.slice(0, lettersMax).replaceAll(/\s+/g, ' ').replaceAll('−', '-').replaceAll('m∠', '∠')
  const found: { at: number; literal: string }[] = []
  for (const [pattern, literal] of patterns) {
    for (const match of words.matchAll(pattern)) found.push({ at: match.index, literal: literal(...match.slice(1)) })
  }
  const named = /circle ([A-Z])(?![A-Za-z])|([A-Z]) is the cent(?:re|er) of the circle/.exec(words)
  const circle = named?.[1] ?? named?.[2]
  if (circle !== undefined) {
    found.push({ at: 0, literal: `Circle(${circle})` })
    for (const match of words.matchAll(/([A-Z]{2}) is (?:a|the) diameter/g)) {
      found.push({ at: match.index, literal: `IsDiameterOfCircle(${match[1]},${circle})` })
    }
  }
  const text = found.toSorted((left, right) => left.at - right.at).map(({ literal }) => literal)
  return { text_cdl: [...new Set(text)], goal_cdl: goalOf(words) }
}

function goalOf(words: string): string | null {
  for (const [pattern, literal] of goals) {
    const [match] = words.matchAll(pattern)
    if (match) return literal(...match.slice(1))
  }
  return null
}

function titled(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
