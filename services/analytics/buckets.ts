/** Rows of a selection, put apart by train step, family and the like. */
import { at } from './columns.ts'
import { derived } from './derived.ts'
import type { Selection } from './select.ts'

/** What rows can be put apart by. */
export const DIMENSIONS = [
  'train_step',
  'substep',
  'policy_version',
  'run',
  'dataset',
  'family',
  'split',
  'actor_model',
  'status',
] as const
export type Dimension = (typeof DIMENSIONS)[number]

/** A value of a dimension; null is its own value, and comes last. */
export type DimensionValue = string | number | null

/** The rows with equal values. */
export interface Bucket {
  readonly by: Readonly<Partial<Record<Dimension, DimensionValue>>>
  /** In the order of the selection. */
  readonly rows: Uint32Array
}

interface Axis {
  /** NaN or -1 for null. */
  readonly code: (row: number) => number
  readonly value: (code: number) => DimensionValue
}

function axisOf({ frame }: Selection, dimension: Dimension): Axis {
  const numbers = (values: ArrayLike<number>): Axis => ({
    code: (row) => at(values, row),
    value: (code) => (Number.isNaN(code) ? null : code),
  })
  const ofItem = (texts: { code(index: number): number; dictionary: { text(code: number): string | null } }): Axis => ({
    code: (row) => texts.code(frame.item.code(row)),
    value: (code) => texts.dictionary.text(code),
  })
  switch (dimension) {
    case 'train_step':
      return numbers(frame.trainStep.values)
    case 'substep':
      return numbers(frame.substep.values)
    case 'policy_version':
      return numbers(frame.policyVersion.values)
    case 'run':
      return { code: (row) => at(frame.run.values, row), value: (code) => frame.runs[code]?.run_id ?? null }
    case 'dataset':
      return ofItem(frame.items.dataset)
    case 'family':
      return ofItem(frame.items.family)
    case 'split':
      return ofItem(frame.items.split)
    case 'actor_model':
      return { code: (row) => frame.actorModel.code(row), value: (code) => frame.actorModel.dictionary.text(code) }
    case 'status':
      return { code: (row) => frame.status.code(row), value: (code) => frame.status.dictionary.text(code) }
  }
}

/** Numbers by size, texts by code units, null last. */
export function compareValues(left: DimensionValue, right: DimensionValue): number {
  if (left === right) return 0
  if (left === null) return 1
  if (right === null) return -1
  return left < right ? -1 : 1
}

/** Splits rows by the code of an axis: two passes, one that counts and one that puts. */
function split(rows: Uint32Array, axis: Axis): { value: DimensionValue; rows: Uint32Array }[] {
  const places = new Map<number, number>()
  const sizes: number[] = []
  const placeOf = new Uint32Array(rows.length)
  // Neighbours mostly have the same code: then nothing is looked up.
  let [last, place] = [Number.NaN, 0]
  for (let index = 0; index < rows.length; index++) {
    const code = axis.code(rows[index] ?? 0)
    if (code !== last) {
      place = places.get(code) ?? sizes.push(0) - 1
      places.set(code, place)
      last = code
    }
    placeOf[index] = place
    sizes[place] = (sizes[place] ?? 0) + 1
  }
  const parts = sizes.map((size) => new Uint32Array(size))
  const filled = new Uint32Array(sizes.length)
  for (let index = 0; index < rows.length; index++) {
    const place = placeOf[index] ?? 0
    const part = parts[place]
    if (part !== undefined) part[filled[place] ?? 0] = rows[index] ?? 0
    filled[place] = (filled[place] ?? 0) + 1
  }
  return [...places]
    .map(([code, place]) => ({ value: axis.value(code), rows: parts[place] ?? new Uint32Array(0) }))
    .sort((left, right) => compareValues(left.value, right.value))
}

/** Puts rows apart by one dimension after the other. The order of buckets is that of their values. */
export function bucketsOf(selection: Selection, dimensions: readonly Dimension[]): readonly Bucket[] {
  return derived(selection, `buckets ${dimensions.join(',')}`, () => putApart(selection, dimensions))
}

function putApart(selection: Selection, dimensions: readonly Dimension[]): Bucket[] {
  let found: Bucket[] = selection.rows.length === 0 ? [] : [{ by: {}, rows: selection.rows }]
  for (const dimension of dimensions) {
    const axis = axisOf(selection, dimension)
    found = found.flatMap(({ by, rows }) =>
      split(rows, axis).map((part) => ({ by: { ...by, [dimension]: part.value }, rows: part.rows })),
    )
  }
  return found
}
