/** The forms in which numbers, units and lists are written. */

/** Spellings of a unit that mean the same; all in lower case. */
const spellings: readonly (readonly string[])[] = [
  ['%', 'percent', 'per cent', 'pct'],
  ['°', 'deg', 'degree', 'degrees'],
  ['$', 'usd', 'dollar', 'dollars'],
  ['€', 'eur', 'euro', 'euros'],
  ['£', 'gbp', 'pound', 'pounds'],
]

/** Units of one measure, with what one of them is in the first of the row. */
const measures: readonly Readonly<Record<string, number>>[] = [
  { mm: 1, cm: 10, m: 1000, km: 1_000_000 },
  { g: 1, kg: 1000, t: 1_000_000 },
  { s: 1, min: 60, h: 3600 },
  { ml: 1, cl: 10, l: 1000 },
]

/** A text as it is compared: one case, one composition of accents, single spaces, no quotes around, no full stop. */
export function normalised(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/\s+/g, ' ')
    .trim()
    .replace(/^["'“”*`]+/, '')
    .replace(/["'“”*`.]+$/, '')
    .trim()
}

/** A number as written, and the unit that stood with it ('' for none). */
export type WrittenNumber = { readonly value: number; readonly unit: string }

/** The one number that a text is, such as "1,240 mm", "$12.50" or "−3 %"; null for anything else. */
export function writtenNumber(text: string): WrittenNumber | null {
  const plain = normalised(text).replaceAll('−', '-')
  const match = /^([+-]?)([$€£]?)\s?(\d{1,3}(?:[,\s']\d{3})+|\d+)?(\.\d+)?\s*(\D*)$/.exec(plain)
  const [, sign = '', currency = '', whole = '', part = '', after = ''] = match ?? []
  if (match === null || whole + part === '') return null
  const unit = currency + after.trim()
  const value = Number(`${sign}${whole.replaceAll(/[,\s']/g, '')}${part}`)
  return Number.isFinite(value) ? { value, unit } : null
}

/** The number in a text such as "1,240 mm"; null if it is not one number with this unit, or one that turns into it, or none. */
export function readNumber(text: string, unit = ''): number | null {
  const written = writtenNumber(text)
  if (written === null) return null
  const wanted = normalised(unit)
  if (written.unit === '' || sameUnit(written.unit, wanted)) return written.value
  for (const measure of measures) {
    const [from, to] = [measure[written.unit], measure[wanted]]
    if (from !== undefined && to !== undefined) return (written.value * from) / to
  }
  return null
}

function sameUnit(left: string, right: string): boolean {
  return left === right || spellings.some((row) => row.includes(left) && row.includes(right))
}

/** Whether a unit is that of percentages. */
export function isPercent(unit: string | undefined): boolean {
  return unit !== undefined && sameUnit(normalised(unit), '%')
}

const exactness = 1e-6

/** How near two numbers are: `exact` to 1e-6, `near` within the tolerance (a share of the right one), or neither. */
export function nearness(said: number, right: number, tolerance = 0): 'exact' | 'near' | 'off' {
  const off = Math.abs(said - right)
  if (off <= exactness) return 'exact'
  return off <= Math.abs(right) * tolerance + exactness ? 'near' : 'off'
}

const listItemsMax = 100

/** The items of a list such as `a, b and c`, `a; b`, one to a line, or a JSON list of texts and numbers. */
export function readList(text: string): readonly string[] {
  const json = jsonList(text)
  if (json !== null) return json
  const bare = text.trim().replace(/^[[({]([^]*)[\])}]$/, '$1')
  const cut = /[;\n]/.test(bare) ? /[;\n]/ : /,(?!\d{3}(?!\d))|\s+and\s+|\s+&\s+/i
  return bare
    .split(cut)
    .map((item) => normalised(item.replace(/^\s*(?:[-*•]|\d{1,2}[.)])\s+/, '').replace(/^\s*and\s+/i, '')))
    .filter((item) => item !== '')
    .slice(0, listItemsMax)
}

function jsonList(text: string): readonly string[] | null {
  if (!text.trim().startsWith('[')) return null
  try {
    const value: unknown = JSON.parse(text)
    if (!Array.isArray(value)) return null
    const items: readonly unknown[] = value
    return items
      .slice(0, listItemsMax)
      .flatMap((item) => (typeof item === 'string' || typeof item === 'number' ? [normalised(String(item))] : []))
  } catch {
    return null
  }
}
