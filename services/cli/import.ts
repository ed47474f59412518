/** `stepstore import`: rollouts from files, by the same HTTP path as any pipeline. */
import { randomUUID } from 'node:crypto'
import { misuse } from '#services/config.ts'
import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'
import { addTally, noTally, type Fault, type Input, type Tally, type Unit } from '#services/import/unit.ts'
import { client, fields, noServer, numberOf, textOf, type Client } from './client.ts'
import type { Command, CommandContext } from './command.ts'
import { count, progressLine, table, type ProgressLine } from './terminal.ts'

const FORMATS = ['tau-bench', 'stepstore'] as const
type Format = (typeof FORMATS)[number]

/** Faults printed in words; the rest are counted only. */
const FAULTS_SHOWN_MAX = 100
/** More sources than this are not told apart: then everything that came meanwhile is counted. */
const SOURCES_MAX = 20

export const importCommand: Command = {
  spec: {
    name: 'import',
    summary:
      'Sends rollouts from files, or from standard input (-), to a running server. Sending twice changes nothing.',
    positionals: '<format> <path…|->',
    count: [2, 10_000],
    options: {
      run: { value: 'NAME', description: 'the run (tau-bench; default: the name of the file)' },
      'policy-version': { value: 'N', description: 'the version of the policy that acted (tau-bench; default 0)' },
      domain: {
        value: 'NAME',
        description: 'airline or retail (tau-bench; default: from the name of the file, else from its contents)',
      },
    },
    examples: [
      'stepstore import tau-bench gpt-4o-airline.json',
      'stepstore import stepstore events.ndjson',
      'zstdcat events.ndjson.zst | stepstore import stepstore -',
    ],
  },
  run: async (context) => {
    const [word = '', ...paths] = context.args.words
    const format = formatOf(word)
    const { key, url } = context.config()
    const server = client({ url, key })
    if (!(await server.isThere())) throw noServer(url)
    const { inputs, close } = await openInputs(paths, context.stdin)
    try {
      const started = textOf((await patient(server, '/v1/position', () => {}))['log_end'])
      const sending = await send(context, { format, inputs, url, key })
      const verdicts = await verdictsOf(server, started, sending, context)
      print(context, { ...sending, ...verdicts }, url)
      return sending.unreadable > 0 ? 1 : 0
    } finally {
      await close()
    }
  },
}

function formatOf(word: string): Format {
  const found = FORMATS.find((format) => format === word)
  if (found !== undefined) return found
  const near = nearest(word, FORMATS)
  throw misuse(
    `unknown format ${word.slice(0, 60)}`,
    near === undefined
      ? `the formats are ${FORMATS.join(', ')}`
      : `did you mean ${near}? The formats are ${FORMATS.join(', ')}`,
  )
}

async function openInputs(
  paths: readonly string[],
  stdin: NodeJS.ReadableStream,
): Promise<{ inputs: Input[]; close: () => Promise<void> }> {
  const { fileInput, streamInput } = await import('#services/import/input.ts')
  if (paths.filter((path) => path === '-').length > 1) throw misuse('standard input can be read once', 'name - once')
  const inputs: Input[] = []
  let close = async (): Promise<void> => {}
  for (const path of paths) {
    if (path === '-') {
      const stream = await streamInput(stdin)
      inputs.push(stream.input)
      close = stream.close
    } else inputs.push(await fileInput(path))
  }
  return { inputs, close }
}

interface Sending {
  readonly tally: Tally
  readonly unreadable: number
  readonly position: string | undefined
  /** By which the verdicts on what was sent are found; undefined for too many to tell apart. */
  readonly sources: readonly string[] | undefined
  readonly runs: readonly string[]
}

interface Order {
  readonly format: Format
  readonly inputs: readonly Input[]
  readonly url: string
  readonly key: string | undefined
}

async function send(context: CommandContext, order: Order): Promise<Sending> {
  const { terminal, now } = context
  const { sender } = await import('#services/import/send.ts')
  const progress = progressLine(terminal, now)
  const faults = faultList(progress)
  const sources = new Set<string>()
  const { units, runs } = await unitsOf(context, order, faults, sources, progress)
  const out = sender({
    url: order.url,
    key: order.key,
    // Units of tau-bench are whole rollouts and may overtake each other; lines are kept in order.
    inFlightMax: order.format === 'tau-bench' ? 4 : 1,
    onRetry: (reason, waitMs) => progress.keep(`  ${reason}; trying again in ${(waitMs / 1000).toFixed(1)} s`),
  })
  const tally = noTally()
  const bytes = order.inputs.reduce((sum, input) => sum + input.bytes, 0)
  const startMs = now()
  try {
    for await (const unit of units) {
      await out.add(unit.events)
      addTally(tally, unit.tally)
      const seconds = Math.max(0.001, (now() - startMs) / 1000)
      const share = bytes === 0 ? 100 : Math.floor((unit.bytesRead / bytes) * 100)
      progress.show(
        `  sending  ${String(share).padStart(3)} %  ${count(tally.events)} events  ${count(Math.round(tally.events / seconds))}/s`,
      )
    }
    const position = await out.finish()
    return {
      tally,
      unreadable: faults.count(),
      position,
      sources: sources.size > SOURCES_MAX ? undefined : [...sources],
      runs,
    }
  } finally {
    progress.end()
  }
}

interface FaultList {
  add(fault: Fault): void
  count(): number
}

function faultList(progress: ProgressLine): FaultList {
  let faults = 0
  return {
    add: ({ input, index, byteOffset, message }) => {
      faults++
      if (faults <= FAULTS_SHOWN_MAX)
        progress.keep(`  unreadable: ${input}, record ${index} (byte ${byteOffset}): ${message}`)
      if (faults === FAULTS_SHOWN_MAX) progress.keep('  further unreadable records are counted only')
    },
    count: () => faults,
  }
}

async function unitsOf(
  { args }: CommandContext,
  { format, inputs }: Order,
  faults: FaultList,
  sources: Set<string>,
  progress: ProgressLine,
): Promise<{ units: AsyncIterable<Unit>; runs: string[] }> {
  const onFault = (fault: Fault): void => faults.add(fault)
  if (format === 'stepstore') {
    for (const name of ['run', 'policy-version', 'domain']) {
      if (args.text(name) !== undefined)
        throw misuse(`--${name} is not for the format stepstore`, 'its events name their run themselves')
    }
    const { stepstoreUnits } = await import('#services/import/stepstore.ts')
    const onSource = (source: string): void => {
      if (sources.size <= SOURCES_MAX) sources.add(source)
    }
    return { units: stepstoreUnits({ inputs, onFault, onSource }), runs: [] }
  }
  const { runFromFile, tauBenchUnits } = await import('#services/import/tau-bench.ts')
  const run = args.text('run')
  if (run === undefined && inputs.some((input) => input.name === '-'))
    throw misuse('standard input has no name to call the run by', 'give --run NAME')
  const runOf = (input: Input): string => run ?? runFromFile(input.name)
  const source = `urn:stepstore:import:${randomUUID()}`
  sources.add(source)
  const bytes = inputs.reduce((sum, input) => sum + input.bytes, 0)
  const units = tauBenchUnits({
    inputs,
    runOf,
    source,
    onFault,
    policyVersion: args.integer('policy-version') ?? 0,
    domain: args.text('domain'),
    onCounting: (bytesRead) =>
      progress.show(`  counting trials  ${Math.floor((bytesRead / Math.max(1, bytes)) * 100)} %`),
  })
  return { units, runs: [...new Set(inputs.map(runOf))] }
}

interface VerdictCounts {
  readonly duplicates: number
  readonly conflicts: number
}

/** Waits until everything that was sent is judged, then counts the verdicts on it. */
async function verdictsOf(
  server: Client,
  from: string | undefined,
  { position, sources }: Sending,
  { terminal, now }: CommandContext,
): Promise<VerdictCounts> {
  let duplicates = 0
  let conflicts = 0
  if (position === undefined) return { duplicates, conflicts }
  const progress = progressLine(terminal, now)
  for (const source of sources ?? [undefined]) {
    let cursor: string | undefined
    do {
      const query = new URLSearchParams({ after: position, to: position, wait: '30' })
      if (from !== undefined) query.set('from', from)
      if (source !== undefined) query.set('source', source)
      if (cursor !== undefined) query.set('cursor', cursor)
      const answer = await patient(server, `/v1/verdicts?${query.toString()}`, () =>
        progress.show('  waiting until everything is judged'),
      )
      const counts = fields(answer['counts'])
      duplicates += numberOf(counts['duplicate'])
      conflicts += numberOf(counts['conflict'])
      cursor = textOf(answer['next'])
    } while (cursor !== undefined)
  }
  progress.end()
  return { duplicates, conflicts }
}

/** A read that waits as long as the server is behind or away; it gives up where it is away for a minute. */
async function patient(server: Client, path: string, onWait: () => void): Promise<Readonly<Record<string, unknown>>> {
  for (let failures = 0; ;) {
    try {
      return fields(await server.get(path))
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      const isSilent = error instanceof Problem && error.details['silent'] === true
      if (code === 'behind') failures = 0
      else if (isSilent || code !== 'unavailable' || ++failures > 60) throw error
      onWait()
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
  }
}

function print({ json, terminal }: CommandContext, result: Sending & VerdictCounts, url: string): void {
  const { tally, duplicates, conflicts, unreadable, position, runs } = result
  if (json) {
    terminal.out(`${JSON.stringify({ ...tally, duplicates, conflicts, unreadable, position: position ?? null })}\n`)
    return
  }
  const { bold, green, yellow, red, blue } = terminal.paint
  const rows = Object.entries(tally).map(([name, value]) => [name.replace('_', ' '), count(value)])
  const mark = (value: number, colour: (text: string) => string): string =>
    value === 0 ? count(value) : colour(count(value))
  const more = [
    ['duplicates', mark(duplicates, yellow)],
    ['conflicts', mark(conflicts, red)],
    ['unreadable', mark(unreadable, red)],
  ]
  terminal.out(table([{ head: '' }, { head: '', right: true }], [...rows, ...more], terminal.paint))
  terminal.out(
    duplicates > 0 && duplicates === tally.events
      ? `\n  ${green('Everything was there already: nothing has changed.')}\n`
      : '\n',
  )
  for (const run of conflicts > 0 ? runs : [])
    terminal.out(`  ${bold('conflicts')}  ${blue(`${url}/v1/gaps?kind=conflict&run=${encodeURIComponent(run)}`)}\n`)
  if (conflicts > 0 && runs.length === 0)
    terminal.out(`  ${bold('conflicts')}  ${blue(`${url}/v1/gaps?kind=conflict`)}\n`)
  for (const run of runs) terminal.out(`  ${bold('run')}  ${blue(`${url}/v1/runs/${encodeURIComponent(run)}`)}\n`)
}
