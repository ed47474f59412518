/** Imports tau-bench's historical trajectories: one array of records, of any size, as events. */
import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { Problem } from '#services/problem.ts'
import { jsonElements } from './json-elements.ts'
import { isNewName, NAMES_MAX, noTally, type Fault, type Input, type Unit } from './unit.ts'
import {
  tauEvent,
  tauGroup,
  tauItem,
  tauRecord,
  tauTrajectory,
  UnfitRecord,
  type TauNames,
  type TauRecord,
} from './tau-bench-record.ts'

export interface TauBenchOptions {
  readonly inputs: readonly Input[]
  /** The run of an input. */
  readonly runOf: (input: Input) => string
  readonly policyVersion: number
  /** airline or retail; undefined takes it from the file's name, else from the system message. */
  readonly domain: string | undefined
  /** The CloudEvents source of everything that is sent; unique to this import, so that its verdicts can be told apart. */
  readonly source: string
  readonly onFault: (fault: Fault) => void
  /** Called now and then while trials are counted, before anything is sent. */
  readonly onCounting?: (bytesRead: number) => void
}

/** A record of 64 MiB is a thousand times the longest that tau-bench has. */
const ELEMENTS = { elementBytesMax: 64 * 1024 * 1024, begins: /\{\s*"task_id"\s*:/ }

/** The run that a file is imported as unless it is told: its name without the ending. */
export function runFromFile(path: string): string {
  return (
    basename(path)
      .replace(/\.jsonl?$/i, '')
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .slice(0, 120) || 'tau-bench'
  )
}

/**
 * The units of the inputs: each run's start, then for each record its item (when it is new) and its rollout, then each run's
 * end. Every input is read twice: first to count its trials, since a rollout says at its start how large its group is. Throws
 * `invalid` before the first unit where an input has no record at all: then it is no file of tau-bench.
 */
export async function* tauBenchUnits(options: TauBenchOptions): AsyncGenerator<Unit> {
  const trials = await countTrials(options)
  const runs = new Set(options.inputs.map(options.runOf))
  for (const run of runs) {
    const data = { run_id: run, kind: 'eval', config: { format: 'tau-bench' } } as const
    yield runUnit(tauEvent('run.started', 'start', data, options.source))
  }
  const seen = { items: new Map<string, string>(), groups: new Set<string>() }
  let readBefore = 0
  for (const input of options.inputs) {
    const run = options.runOf(input)
    for await (const { record, index, byteOffset, bytesRead } of records(input, options, options.onFault)) {
      const names = {
        run,
        policyVersion: options.policyVersion,
        source: options.source,
        groupSize: trials.get(trialsKey(run, record))?.size,
      }
      try {
        yield recordUnit(record, names, seen, readBefore + bytesRead)
      } catch (error) {
        if (!(error instanceof UnfitRecord)) throw error
        options.onFault({ input: input.name, index, byteOffset, message: error.message })
      }
    }
    readBefore += input.bytes
  }
  for (const run of runs)
    yield runUnit(tauEvent('run.finished', 'finish', { run_id: run, status: 'completed' }, options.source))
}

const runUnit = (event: Uint8Array): Unit => ({ events: [event], tally: { ...noTally(), events: 1 }, bytesRead: 0 })

interface Placed {
  readonly record: TauRecord
  readonly index: number
  readonly byteOffset: number
  readonly bytesRead: number
}

async function* records(
  input: Input,
  options: TauBenchOptions,
  onFault: (fault: Fault) => void,
): AsyncGenerator<Placed> {
  const domain =
    options.domain ?? /(?:^|[^a-z])(airline|retail)(?:[^a-z]|$)/i.exec(basename(input.name))?.[1]?.toLowerCase()
  for await (const { index, byteOffset, bytesRead, value, fault } of jsonElements(input.open(), ELEMENTS)) {
    const record = fault ?? tauRecord(value, domain)
    if (typeof record === 'string') onFault({ input: input.name, index, byteOffset, message: record })
    else yield { record, index, byteOffset, bytesRead }
  }
}

const trialsKey = (run: string, { domain }: TauRecord): string => `${run}/${domain}`

/**
 * The trials of each run and domain. tau-bench rolls out every task as often, so the number of trials is the size of every
 * group; a task with fewer lost some, and its group is listed as incomplete.
 */
async function countTrials(options: TauBenchOptions): Promise<Map<string, Set<number>>> {
  const trials = new Map<string, Set<number>>()
  let readBefore = 0
  for (const input of options.inputs) {
    let found = 0
    let fault: string | undefined
    const onFault = ({ index, message }: Fault): void => {
      fault ??= `record ${index}: ${message}`
    }
    for await (const { record, bytesRead } of records(input, options, onFault)) {
      found++
      const key = trialsKey(options.runOf(input), record)
      const known = trials.get(key) ?? new Set()
      if (known.size < NAMES_MAX) known.add(record.trial)
      trials.set(key, known)
      options.onCounting?.(readBefore + bytesRead)
    }
    if (found === 0) throw notTauBench(input, fault)
    readBefore += input.bytes
  }
  return trials
}

function notTauBench({ name }: Input, fault: string | undefined): Problem {
  const why = fault === undefined ? 'it holds no records' : fault
  return new Problem('invalid', `${name} is not a tau-bench file (${why}); nothing was sent`, {
    hint: 'a tau-bench file is one JSON array of {"task_id", "trial", "reward", "info", "traj"}; events are imported with `stepstore import stepstore`',
  })
}

interface Seen {
  /** The hash of each item that was sent: trials repeat it, and it need not be sent again. */
  readonly items: Map<string, string>
  readonly groups: Set<string>
}

function recordUnit(record: TauRecord, names: TauNames, seen: Seen, bytesRead: number): Unit {
  const { events, steps, toolCalls } = tauTrajectory(record, names)
  const item = tauItem(record)
  let items = 0
  if (item !== undefined) {
    const event = tauEvent('item.registered', 'item', item, names.source)
    const hash = createHash('sha256').update(event).digest('base64')
    const known = seen.items.get(item.item_id)
    // An item that differs from trial to trial is sent again, so that the conflict is seen and not hidden.
    if (known !== hash) {
      events.unshift(event)
      if (known === undefined) items = 1
      if (seen.items.size < NAMES_MAX) seen.items.set(item.item_id, hash)
    }
  }
  const groups = isNewName(seen.groups, tauGroup(record, names.run)) ? 1 : 0
  return {
    events,
    tally: { trajectories: 1, steps, tool_calls: toolCalls, items, groups, events: events.length },
    bytesRead,
  }
}
