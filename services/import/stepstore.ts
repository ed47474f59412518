/** Imports events as they are: one CloudEvent in JSON a line. What cannot be read is sent too, since the log keeps it. */
import { EVENT_BYTES_MAX, readEvent } from '#services/core/event-reader.ts'
import { isNewName, noTally, type Fault, type Input, type Tally, type Unit } from './unit.ts'

export interface StepstoreOptions {
  readonly inputs: readonly Input[]
  readonly onFault: (fault: Fault) => void
  /** Learns the CloudEvents sources of the events, by which their verdicts are told from others'. */
  readonly onSource: (source: string) => void
}

/** The units of the inputs: one a line, raw. Lines longer than an event may be are reported and not sent. */
export async function* stepstoreUnits(options: StepstoreOptions): AsyncGenerator<Unit> {
  const groups = new Set<string>()
  let readBefore = 0
  for (const input of options.inputs) {
    for await (const { bytes, index, byteOffset } of lines(input.open())) {
      const fault = (message: string) => options.onFault({ input: input.name, index, byteOffset, message })
      if (bytes === undefined) {
        fault(`a line of more than ${EVENT_BYTES_MAX} bytes; it was not sent`)
        continue
      }
      const event = readEvent(bytes)
      const tally = { ...noTally(), events: 1 }
      if (event.readable) {
        options.onSource(event.source)
        count(event.type, event.data, tally, groups)
      } else fault(`${event.code}${event.pointer === '' ? '' : ` at ${event.pointer}`}: ${event.message}`)
      yield { events: [bytes], tally, bytesRead: readBefore + byteOffset + bytes.length }
    }
    readBefore += input.bytes
  }
}

function count(type: string, data: Readonly<Record<string, unknown>>, tally: Tally, groups: Set<string>): void {
  if (type === 'trajectory.started') {
    tally.trajectories = 1
    if (typeof data['group_id'] === 'string' && isNewName(groups, data['group_id'])) tally.groups = 1
  } else if (type === 'step.recorded') {
    tally.steps = 1
    tally.tool_calls = Array.isArray(data['tool_calls']) ? data['tool_calls'].length : 0
  } else if (type === 'item.registered') tally.items = 1
}

interface Line {
  /** Without its end; undefined where it was too long to be kept. */
  readonly bytes: Uint8Array | undefined
  readonly index: number
  readonly byteOffset: number
}

/** Lines that are not blank. Memory holds one of them. */
async function* lines(source: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let parts: Uint8Array[] = []
  let length = 0
  let index = 0
  let lineStart = 0
  let chunkStart = 0
  const take = (part: Uint8Array): void => {
    length += part.length
    if (length <= EVENT_BYTES_MAX + 1) parts.push(part)
    else parts = []
  }
  const finish = (end: number): Line | undefined => {
    const whole = length > EVENT_BYTES_MAX + 1 ? undefined : Buffer.concat(parts)
    const line = {
      bytes: whole?.at(-1) === 0x0d ? whole.subarray(0, -1) : whole,
      index: index++,
      byteOffset: lineStart,
    }
    parts = []
    length = 0
    lineStart = end + 1
    return line.bytes !== undefined && line.bytes.every((byte) => byte === 0x20 || byte === 0x09) ? undefined : line
  }
  for await (const chunk of source) {
    let from = 0
    for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, from)) {
      take(chunk.subarray(from, at))
      const line = finish(chunkStart + at)
      if (line !== undefined) yield line
      from = at + 1
    }
    // A copy: the source may use its buffer again.
    if (from < chunk.length) take(Uint8Array.from(chunk.subarray(from)))
    chunkStart += chunk.length
  }
  if (length > 0) {
    const line = finish(chunkStart)
    if (line !== undefined) yield line
  }
}
