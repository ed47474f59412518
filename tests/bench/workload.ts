/** Events as workers send them, in files: text that never repeats, steps with tool calls and what came back. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'

/** Trajectories that are under way at the same time. */
const AT_ONCE = 64
export const STEPS_EACH = 10
/** A start, the steps, and a finish. */
export const EVENTS_EACH = STEPS_EACH + 2
const GROUP_SIZE = 8
const WRITE_BYTES = 4 * 1024 * 1024
const READ_BYTES = 8 * 1024 * 1024
const LETTERS = Buffer.from('abcdefghijklmnopqrstuvwxyz      ')

/** What a file holds. */
export interface Workload {
  readonly path: string
  readonly steps: number
  readonly events: number
  readonly bytes: number
  readonly trajectories: number
}

/** Words of random letters, the same for the same seed (five bits of chance a letter: hardly compressible). */
function textMaker(seed: number): (chars: number) => string {
  const letters = Buffer.alloc(4096)
  let state = seed | 1
  return (chars) => {
    for (let at = 0; at < chars; at += 6) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      for (let letter = 0; letter < 6; letter++) letters[at + letter] = LETTERS[(state >>> (letter * 5)) & 31] ?? 32
    }
    return letters.toString('latin1', 0, chars)
  }
}

type Fields = Record<string, unknown>

/** The id of a trajectory of the workload `run`. */
export function trajectoryId(run: string, index: number): string {
  return `${run}/item-${Math.floor(index / GROUP_SIZE)}/${index % GROUP_SIZE}`
}

/** The events of the wave of trajectories that begins with `first`: starts, then every step of each in turn, then finishes. */
function* wave(run: string, first: number, text: (chars: number) => string): Generator<Fields> {
  const ids = Array.from({ length: AT_ONCE }, (_, index) => first + index)
  let n = first * EVENTS_EACH
  const event = (type: string, trajectory: number, data: Fields): Fields => ({
    specversion: '1.0',
    id: `${run}-${n}`,
    source: `/bench/worker-${trajectory % AT_ONCE}`,
    type,
    time: new Date(1_795_000_000_000 + 7 * n++).toISOString(),
    data: { trajectory_id: trajectoryId(run, trajectory), run_id: run, ...data },
  })
  for (const id of ids) {
    const started = {
      item_id: `item-${Math.floor(id / GROUP_SIZE)}`,
      group_id: `${run}-${Math.floor(id / GROUP_SIZE)}`,
      group_size: GROUP_SIZE,
      rollout_index: id % GROUP_SIZE,
      policy_version: Math.floor(id / 4096),
    }
    yield event('trajectory.started', id, {
      ...started,
      prompt: [
        { role: 'system', content: text(200) },
        { role: 'user', content: text(160) },
      ],
    })
  }
  for (let step = 0; step < STEPS_EACH; step++)
    for (const id of ids) yield event('step.recorded', id, stepData(step, text))
  for (const id of ids)
    yield event('trajectory.finished', id, {
      status: 'completed',
      end_reason: 'answer',
      n_steps: STEPS_EACH,
      reward: (id % 101) / 100,
      parts: { correct: id % 2, format: 1 },
      answer_match: id % 2 === 1,
      prediction_raw: text(40),
    })
}

function stepData(step: number, text: (chars: number) => string): Fields {
  const call = { task: 'extract', series: [text(8), text(8)], threshold: step / 8 }
  const rawCall = JSON.stringify({ name: 'chart_to_table', arguments: call })
  const thought = text(330)
  return {
    step_index: step,
    action_kind: 'tool_call',
    raw_output: `<think>${thought}</think>\n<tool_call>${rawCall}</tool_call>`,
    think_text: thought,
    tool_calls: [
      {
        id: `call_${step}`,
        name: 'chart_to_table',
        arguments: call,
        raw_call: rawCall,
        parse_ok: true,
        schema_ok: true,
        valid: true,
        status: 'ok',
        latency_ms: 18 + step,
      },
    ],
    observation: [{ role: 'tool', name: 'chart_to_table', tool_call_id: `call_${step}`, content: text(430) }],
    turn_format_ok: true,
    prompt_tokens: 812 + 200 * step,
    completion_tokens: 133,
    obs_tokens: 70,
    finish_reason: 'stop_token',
    gen_ms: 1832,
  }
}

/** Trajectories that `steps` steps need: whole waves. */
export function trajectoriesOf(steps: number): number {
  return Math.ceil(steps / STEPS_EACH / AT_ONCE) * AT_ONCE
}

/**
 * Writes a workload of at least `steps` steps, one event a line. `first` is the number of trajectories that earlier parts
 * of the same run hold.
 */
export function writeWorkload(path: string, run: string, steps: number, first = 0): Workload {
  const file = openSync(path, 'w')
  const text = textMaker(20_261_123 + steps + first * 7919)
  let [events, bytes, trajectories] = [0, 0, 0]
  let lines: string[] = []
  let waiting = 0
  const flush = (): void => {
    const piece = Buffer.from(lines.join(''))
    writeSync(file, piece)
    bytes += piece.length
    lines = []
    waiting = 0
  }
  while (trajectories < trajectoriesOf(steps)) {
    for (const event of wave(run, first + trajectories, text)) {
      const line = `${JSON.stringify(event)}\n`
      lines.push(line)
      waiting += line.length
      events += 1
      if (waiting > WRITE_BYTES) flush()
    }
    trajectories += AT_ONCE
  }
  flush()
  closeSync(file)
  return { path, steps: trajectories * STEPS_EACH, events, bytes, trajectories }
}

/** The lines of a file, in parts of `count` lines, as bytes. Reads it piece by piece. */
export function* parts(path: string, count: number): Generator<{ readonly bytes: Buffer; readonly lines: number }> {
  const file = openSync(path, 'r')
  let rest: Buffer = Buffer.alloc(0)
  try {
    for (;;) {
      const piece = Buffer.allocUnsafe(READ_BYTES)
      const length = readSync(file, piece, 0, READ_BYTES, null)
      rest = Buffer.concat([rest, piece.subarray(0, length)])
      let [from, at, lines] = [0, 0, 0]
      for (let end = rest.indexOf(10, at); end >= 0; end = rest.indexOf(10, at)) {
        at = end + 1
        lines += 1
        if (lines < count) continue
        yield { bytes: rest.subarray(from, at), lines }
        from = at
        lines = 0
      }
      if (length === 0) {
        if (lines > 0) yield { bytes: rest.subarray(from, at), lines }
        return
      }
      rest = rest.subarray(from)
    }
  } finally {
    closeSync(file)
  }
}
