/** Values as the buffers of an Arrow record batch. */
import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
} from '@duckdb/node-api'
import type { ArrowField } from './arrow-types.ts'

/** What a batch is made of: a node (rows, nulls) for each field and its children, and their buffers in order. */
export interface ArrowParts {
  readonly nodes: (readonly [rows: number, nulls: number])[]
  readonly buffers: Uint8Array[]
}

function bits(count: number, isSet: (index: number) => boolean): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(count / 8))
  for (let index = 0; index < count; index++)
    if (isSet(index)) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (1 << (index & 7))
  return bytes
}

const isNull = (value: unknown): boolean => value === null || value === undefined

/** The integer that stands for a value of fixed width. */
function wholeOf(value: unknown): bigint {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number') return BigInt(value)
  if (value instanceof DuckDBDateValue) return BigInt(value.days)
  if (value instanceof DuckDBDecimalValue) return value.value
  // The four kinds of timestamp name their count by its unit.
  const parts = Object.values(value as Record<string, unknown>).find((part) => typeof part === 'bigint')
  return typeof parts === 'bigint' ? parts : 0n
}

function fixed({ kind, width }: ArrowField, values: readonly unknown[]): Uint8Array {
  const bytes = new Uint8Array(values.length * width)
  const view = new DataView(bytes.buffer)
  for (const [index, value] of values.entries()) {
    if (isNull(value)) continue
    const at = index * width
    if (kind === 'float') {
      if (width === 4) view.setFloat32(at, Number(value), true)
      else view.setFloat64(at, Number(value), true)
      continue
    }
    const whole = wholeOf(value)
    if (width === 1) view.setUint8(at, Number(BigInt.asUintN(8, whole)))
    else if (width === 2) view.setUint16(at, Number(BigInt.asUintN(16, whole)), true)
    else if (width === 4) view.setUint32(at, Number(BigInt.asUintN(32, whole)), true)
    else view.setBigUint64(at, BigInt.asUintN(64, whole), true)
    if (width === 16) view.setBigInt64(at + 8, whole >> 64n, true)
  }
  return bytes
}

/** The offsets of values of these lengths, one more than there are values. */
function offsets(lengths: readonly number[]): Uint8Array {
  const found = new Int32Array(lengths.length + 1)
  let end = 0
  for (const [index, length] of lengths.entries()) {
    end += length
    found[index + 1] = end
  }
  return new Uint8Array(found.buffer)
}

function bytesOf(value: unknown): Uint8Array {
  if (isNull(value)) return new Uint8Array(0)
  if (value instanceof DuckDBBlobValue) return value.bytes
  return Buffer.from(typeof value === 'string' ? value : String(value))
}

function itemsOf(value: unknown): readonly unknown[] {
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items
  if (value instanceof DuckDBMapValue)
    return value.entries.map((entry) => new DuckDBStructValue({ key: entry.key, value: entry.value }))
  return []
}

/** Adds a column to the parts of a batch. */
export function addColumn(parts: ArrowParts, field: ArrowField, values: readonly unknown[]): void {
  const nulls = values.reduce<number>((count, value) => count + (isNull(value) ? 1 : 0), 0)
  parts.nodes.push([values.length, nulls])
  parts.buffers.push(nulls === 0 ? new Uint8Array(0) : bits(values.length, (index) => !isNull(values[index])))
  switch (field.kind) {
    case 'bool':
      parts.buffers.push(bits(values.length, (index) => values[index] === true))
      return
    case 'text':
    case 'binary': {
      const all = values.map(bytesOf)
      parts.buffers.push(offsets(all.map(({ length }) => length)), Buffer.concat(all))
      return
    }
    case 'list': {
      const items = values.map(itemsOf)
      parts.buffers.push(offsets(items.map(({ length }) => length)))
      for (const child of field.children) addColumn(parts, child, items.flat())
      return
    }
    case 'struct':
      for (const child of field.children)
        addColumn(
          parts,
          child,
          values.map((value) => (value instanceof DuckDBStructValue ? (value.entries[child.name] ?? null) : null)),
        )
      return
    case 'int':
    case 'float':
    case 'decimal':
    case 'date':
    case 'timestamp':
      parts.buffers.push(fixed(field, values))
  }
}
