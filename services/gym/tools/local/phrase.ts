/** The words for things that the detector knows. */

export type Relation = 'left' | 'right' | 'front' | 'behind' | 'above' | 'below'

/** What a phrase asks for. Fields that are undefined do not matter. */
export type Wanted = {
  readonly phrase: string
  readonly colour?: string
  readonly shape?: string
  readonly size?: 'small' | 'large'
  readonly material?: 'metal' | 'rubber'
  /** Words in the picture. */
  readonly label?: string
  readonly relation?: { readonly side: Relation; readonly than: Wanted }
  /** Words that are not known. */
  readonly unknown: readonly string[]
}

const colours: Readonly<Record<string, string>> = {
  grey: 'gray',
  gray: 'gray',
  red: 'red',
  blue: 'blue',
  green: 'green',
  brown: 'brown',
  purple: 'purple',
  violet: 'purple',
  cyan: 'cyan',
  turquoise: 'cyan',
  yellow: 'yellow',
  orange: 'orange',
  pink: 'pink',
  black: 'black',
  white: 'white',
}
const shapes: Readonly<Record<string, string>> = {
  sphere: 'sphere',
  ball: 'sphere',
  circle: 'sphere',
  disc: 'sphere',
  dot: 'sphere',
  cube: 'cube',
  block: 'cube',
  box: 'cube',
  cylinder: 'cylinder',
  can: 'cylinder',
  square: 'square',
  rectangle: 'rectangle',
  triangle: 'triangle',
  diamond: 'diamond',
}
const anything = new Set(['object', 'thing', 'item', 'shape', 'anything', 'everything'])
const sizes: Readonly<Record<string, 'small' | 'large'>> = {
  small: 'small',
  tiny: 'small',
  little: 'small',
  large: 'large',
  big: 'large',
}
const materials: Readonly<Record<string, 'metal' | 'rubber'>> = {
  metal: 'metal',
  metallic: 'metal',
  shiny: 'metal',
  rubber: 'rubber',
  matte: 'rubber',
  matt: 'rubber',
}
const idle = new Set([
  'a',
  'an',
  'the',
  'all',
  'any',
  'of',
  'that',
  'are',
  'is',
  'it',
  'one',
  'ones',
  'and',
  'colored',
  'coloured',
  'color',
  'colour',
  'to',
])
const relations: readonly (readonly [RegExp, Relation])[] = [
  [/\b(?:to the )?left of\b/, 'left'],
  [/\b(?:to the )?right of\b/, 'right'],
  [/\bin front of\b/, 'front'],
  [/\bbehind\b/, 'behind'],
  [/\b(?:above|over)\b/, 'above'],
  [/\b(?:below|under)\b/, 'below'],
]

/** The phrases of a caption: parted by a full stop, a semicolon or a comma, as GroundingDINO's are. At most 16. */
export function wantedOf(caption: string): Wanted[] {
  return caption
    .split(/\s*(?:[;,]|\.(?=\s|$))\s*/)
    .map((phrase) => phrase.trim())
    .filter((phrase) => phrase !== '')
    .slice(0, 16)
    .map(wanted)
}

function wanted(phrase: string): Wanted {
  const quoted = /["“']([^"”']{1,200})["”']/.exec(phrase)
  const text = phrase.toLowerCase()
  for (const [pattern, side] of quoted === null ? relations : []) {
    const match = pattern.exec(text)
    if (match === null) continue
    const than = wanted(phrase.slice(match.index + match[0].length))
    return { ...wanted(phrase.slice(0, match.index)), phrase, relation: { side, than } }
  }
  const found: { -readonly [Key in keyof Wanted]: Wanted[Key] } = { phrase, unknown: [] }
  if (quoted?.[1] !== undefined) return { ...found, label: quoted[1] }
  const unknown: string[] = []
  for (const word of text.split(/[^a-z]+/).filter((each) => each !== '')) {
    const single = word.replace(/s$/, '').replace(/boxe$/, 'box')
    const [colour, shape, size, material] = [colours[word], shapes[single], sizes[word], materials[word]]
    if (colour !== undefined) found.colour = colour
    else if (shape !== undefined) found.shape = shape
    else if (size !== undefined) found.size = size
    else if (material !== undefined) found.material = material
    else if (!anything.has(single) && !idle.has(word)) unknown.push(word)
  }
  return { ...found, unknown }
}
