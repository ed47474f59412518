/** The Arrow IPC stream: a schema, record batches, an end. Its format: arrow.apache.org/docs/format/Columnar.html */
import { type ArrowField, fieldTable } from './arrow-types.ts'
import { type ArrowParts, addColumn } from './arrow-values.ts'
import { type FlatField, FlatWriter } from './flatbuffer.ts'

/** Metadata version 5, the one since Arrow 1.0. */
const VERSION = 4
const SCHEMA = 1
const RECORD_BATCH = 3
const ALIGNMENT = 8

const padded = (length: number): number => Math.ceil(length / ALIGNMENT) * ALIGNMENT

function message(tag: number, header: readonly FlatField[], bodyBytes: number): Uint8Array {
  const metadata = FlatWriter.root([
    { slot: 0, size: 2, value: VERSION },
    { slot: 1, size: 1, value: tag },
    { slot: 2, size: 4, at: (writer) => writer.table(header) },
    { slot: 3, size: 8, value: bodyBytes },
  ])
  const framed = new Uint8Array(8 + padded(metadata.length))
  const view = new DataView(framed.buffer)
  view.setUint32(0, 0xffffffff, true)
  view.setInt32(4, padded(metadata.length), true)
  framed.set(metadata, 8)
  return framed
}

/** The message that a stream begins with. */
export function arrowSchema(fields: readonly ArrowField[]): Uint8Array {
  return message(SCHEMA, [{ slot: 1, size: 4, at: (writer) => writer.tables(fields.map(fieldTable)) }], 0)
}

/** A record batch from columns of `rows` values each. */
export function arrowBatch(
  fields: readonly ArrowField[],
  columns: readonly (readonly unknown[])[],
  rows: number,
): Uint8Array[] {
  const parts: ArrowParts = { nodes: [], buffers: [] }
  for (const [index, field] of fields.entries()) addColumn(parts, field, columns[index] ?? [])
  const places: [number, number][] = []
  const body: Uint8Array[] = []
  let at = 0
  for (const buffer of parts.buffers) {
    places.push([at, buffer.length])
    body.push(buffer, new Uint8Array(padded(buffer.length) - buffer.length))
    at += padded(buffer.length)
  }
  const header: FlatField[] = [
    { slot: 0, size: 8, value: rows },
    { slot: 1, size: 4, at: (writer) => writer.pairs(parts.nodes) },
    { slot: 2, size: 4, at: (writer) => writer.pairs(places) },
  ]
  return [message(RECORD_BATCH, header, at), ...body]
}

/** What a stream ends with. */
export const ARROW_END = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])
