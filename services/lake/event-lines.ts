/**
 * Rows of the table `events` on their way into DuckDB. The raw bytes must come out as they went in, so records whose
 * bytes are UTF-8 without control characters go through as they are, as the last but one field of a line that is cut at
 * \u0001, and the few others in hex. (17 µs a record of 2 KB with the Parquet file; DuckDB's appender took 33.)
 */
import { isUtf8 } from 'node:buffer'
import { lakeColumns } from '#schemas/lake.ts'
import { sqlText } from './engine.ts'
import { LineFile } from './line-file.ts'
import { LineRoom, WAITING_BYTES_MAX } from './line-room.ts'

/** A row of `events`, all but the raw bytes as text; null where there is none. */
export interface EventRow {
  readonly partition: number
  readonly offset: number
  readonly appended_at: string
  readonly key: string
  readonly headers: string
  readonly verdict: string
  readonly code: string | null
  readonly type: string | null
  readonly natural_key: string | null
  readonly content_hash: string | null
  readonly run_id: string | null
  readonly trajectory_id: string | null
  readonly raw: Uint8Array | null
  readonly dt: string
}

const CUT = '\u0001'
const NONE = '\u0002'
const TEXTS = [
  'key',
  'headers',
  'verdict',
  'code',
  'type',
  'natural_key',
  'content_hash',
  'run_id',
  'trajectory_id',
] as const
const TYPES = lakeColumns('events')
const NAMES = Object.keys(TYPES)
/** DuckDB's own limit where no line is longer. */
const LINE_BYTES_MAX = 2 * 1024 * 1024

// oxlint-disable-next-line no-control-regex -- these are the characters that would break a line
const BREAKS_TEXT = /[\u0000-\u0002\n\r]/
const BREAKS_BYTES = [0, 1, 2, 10, 13]

/** Whether a row can be a plain line. `texts` are its texts, one after the other. */
function isPlain(texts: string, { raw }: EventRow): boolean {
  if (BREAKS_TEXT.test(texts) || !texts.isWellFormed()) return false
  return raw === null || (isUtf8(raw) && BREAKS_BYTES.every((byte) => !raw.includes(byte)))
}

interface Waiting {
  readonly partition: number
  readonly offset: number
  readonly plain: boolean
  readonly line: Uint8Array
}

const byPlace = (left: Waiting, right: Waiting): number =>
  left.partition - right.partition || left.offset - right.offset

/** The staged rows of one day. */
export class EventLines {
  readonly #plain: LineFile
  readonly #hex: LineFile
  readonly #room = new LineRoom()
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #inOrder = true

  /** Writes to `<path>.plain` and `<path>.hex`. */
  constructor(path: string) {
    this.#plain = new LineFile(`${path}.plain`)
    this.#hex = new LineFile(`${path}.hex`)
  }

  add(row: EventRow): void {
    const { partition, offset, raw } = row
    let texts = ''
    for (const name of TEXTS) texts += row[name] ?? ''
    const plain = isPlain(texts, row)
    let head = `${partition}${CUT}${offset}${CUT}${row.appended_at}${CUT}`
    for (const name of TEXTS) {
      const text = row[name]
      head += text === null ? NONE : plain ? text : Buffer.from(text).toString('hex')
      head += CUT
    }
    const body = raw === null ? NONE : plain ? raw : Buffer.from(raw).toString('hex')
    const line = this.#room.keep(head, body, `${CUT}${row.dt}`)
    this.#waiting.push({ partition, offset, plain, line })
    this.#waitingBytes += line.length
    if (this.#waitingBytes <= WAITING_BYTES_MAX) return
    this.#inOrder = false
    this.#flush()
  }

  close(): void {
    if (this.#inOrder) this.#waiting.sort(byPlace)
    this.#flush()
    this.#plain.close()
    this.#hex.close()
  }

  #flush(): void {
    for (const { plain, line } of this.#waiting) (plain ? this.#plain : this.#hex).bytes(line).endLine()
    this.#waiting = []
    this.#waitingBytes = 0
  }

  /** Whether the rows stand in the order of the log, once closed, and all lie in one file. */
  get sorted(): boolean {
    return this.#inOrder && (this.#hex.lines === 0 || this.#plain.lines === 0)
  }

  get paths(): readonly string[] {
    return [this.#plain.path, this.#hex.path]
  }

  /** The rows as a query, once closed. */
  query(): string {
    const texts = new Set<string>(TEXTS)
    const parts: string[] = []
    if (this.#plain.lines > 0) {
      parts.push(
        `select ${NAMES.map((name) => (name === 'raw' ? 'encode(raw) as raw' : `"${name}"`)).join(', ')} from ${source(this.#plain)}`,
      )
    }
    if (this.#hex.lines > 0) {
      const columns = NAMES.map((name) =>
        name === 'raw' ? 'unhex(raw) as raw' : texts.has(name) ? `decode(unhex("${name}")) as "${name}"` : `"${name}"`,
      )
      parts.push(`select ${columns.join(', ')} from ${source(this.#hex)}`)
    }
    return parts.join(' union all ')
  }
}

function source(file: LineFile): string {
  const columns = NAMES.map(
    (name) => `${sqlText(name)}: ${sqlText(name === 'raw' ? 'VARCHAR' : (TYPES[name] ?? 'VARCHAR'))}`,
  ).join(', ')
  const lineBytesMax = Math.max(LINE_BYTES_MAX, file.lineBytesMax + 1024)
  return `read_csv(${sqlText(file.path)}, delim = '${CUT}', quote = '', escape = '', nullstr = '${NONE}', header = false, auto_detect = false, new_line = '\\n', max_line_size = ${lineBytesMax}, columns = {${columns}})`
}
