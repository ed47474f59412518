/** The tools of a gym, put together: finds the tool, checks the call, runs it here or elsewhere, checks what it said. */
import { createHash } from 'node:crypto'
import { argumentFaults, argumentsObject, checkOf, fieldsOf } from './arguments.ts'
import { readCall, type ReadCall } from './call.ts'
import { localTools } from './local-tools.ts'
import { workerPool, type JobOutcome, type Pool } from './pool.ts'
import { definitions as allDefinitions, registry, toolSchemas, type FoundTask } from './registry.ts'
import { remoteRunner } from './remote-run.ts'
import { resultCache } from './result-cache.ts'
import type { ToolDefinition, ToolTask } from './tool.ts'
import type { CallCode, CallContext, CallFault, CallResult, RemoteTool, Tools } from './tools.ts'

export type ToolsOptions = {
  /** Default: all of the registry. */
  readonly definitions?: readonly ToolDefinition[]
  /** Tools that run elsewhere; they go before a local tool of the same name. */
  readonly remotes?: readonly RemoteTool[]
  /** Threads for local tools. Default 2. */
  readonly threads?: number
  /** Calls that may wait. Default 2048. */
  readonly queueMax?: number
  /** How much of what local tools said is kept for the same call again, in bytes. Default 32 MB; 0 keeps nothing. */
  readonly cacheBytesMax?: number
  /** Milliseconds on a clock that only rises. Default performance.now. */
  readonly now?: () => number
  /** A module with further local tools, for tests: `tools` by name. */
  readonly planted?: string
}

type Outcome = JobOutcome & { readonly attempt: number; readonly cache_hit: boolean; readonly server: string }

/** Opens the tools. Threads start with the first call. */
export function openTools(options: ToolsOptions = {}): Tools {
  const { remotes = [], threads = 2, queueMax = 2048, now = () => performance.now() } = options
  const here = registry(options.definitions ?? allDefinitions)
  const pool = workerPool({
    threads,
    queueMax,
    now,
    ...(options.planted === undefined ? {} : { planted: options.planted }),
  })
  const cached = resultCache(options.cacheBytesMax ?? 32 * 1024 * 1024)
  const elsewhere = remoteRunner(remotes, { queueMax, now })
  const isHere = (name: string): boolean => localTools[name] !== undefined || options.planted !== undefined
  const available = here.definitions.filter(({ name }) => elsewhere.has(name) || isHere(name))

  async function run(found: FoundTask, values: Record<string, unknown>, context: CallContext, signal: AbortSignal) {
    if (elsewhere.has(found.definition.name)) return elsewhere.run(found, values, context, signal)
    if (isHere(found.definition.name)) return runHere(pool, cached, found, values, context)
    const message = `${found.definition.name} runs elsewhere, and no address is set for it`
    return refused({ status: 'infra', error_type: 'NotAvailable', message }, 'none')
  }

  return {
    definitions: here.definitions,
    schemas: toolSchemas(available),
    async call(written, context, signal = new AbortController().signal) {
      const call = readCall(written)
      const checked = checkedCall(here, call)
      if ('result' in checked) return checked.result
      const { found, values } = checked
      return resultOf(call, found, await unlessAborted(run(found, values, context, signal), signal))
    },
    async close() {
      await pool.close()
    },
  }
}

async function runHere(
  pool: Pool,
  cached: ReturnType<typeof resultCache>,
  { definition, task }: FoundTask,
  values: Record<string, unknown>,
  { images, question, choices }: CallContext,
): Promise<Outcome> {
  const key = createHash('sha256')
    .update(JSON.stringify([definition.name, task, sorted(values), [...images.keys()], question, choices]))
    .digest('hex')
  const job = { tool: definition.name, task, arguments: values, images: [...images.values()], question, choices }
  const { outcome, cache_hit } = await cached(key, () => pool.run(job, definition))
  const times = cache_hit ? { queued_ms: 0, latency_ms: 0 } : {}
  return { ...outcome, ...times, attempt: 0, cache_hit, server: 'local' }
}

type Checked = { readonly found: FoundTask; readonly values: Record<string, unknown> } | { readonly result: CallResult }

function checkedCall(here: ReturnType<typeof registry>, call: ReadCall): Checked {
  if (call.name === '' || !call.parse_ok) return { result: invalid(call, null, call.faults) }
  const found = askedTask(here, call)
  if (!('details' in found)) {
    const { definition, message } = found
    if (definition !== null)
      return { result: invalid(call, null, [...call.faults, { code: 'E3', path: 'task', message }], definition) }
    const fault = { code: 'NO_TOOL', path: 'tool', message } as const
    return {
      result: { ...invalid(call, null, [...call.faults, fault]), status: 'not_found', error_type: 'UnknownTool' },
    }
  }
  if (call.faults.length > 0) return { result: invalid(call, found, call.faults) }
  const given = argumentsObject(found.details, call.arguments)
  if ('code' in given) return { result: invalid(call, found, [given]) }
  const faults = argumentFaults(found.details, given.values)
  return faults.length > 0 ? { result: invalid(call, found, faults) } : { found, values: given.values }
}

/** The task that is meant. A free prompt without a task goes to the first task that takes one, as in the released environment. */
function askedTask(here: ReturnType<typeof registry>, call: ReadCall): ReturnType<typeof here.find> {
  const found = here.find(call.name, call.task)
  const isPrompt = typeof call.arguments === 'object' && String(Object.keys(call.arguments ?? {})) === 'prompt'
  if (!isPrompt || call.task !== null || !('details' in found)) return found
  const takesPrompt = (task: ToolTask): boolean => fieldsOf(task)['prompt'] !== undefined
  const task = Object.entries(found.definition.tasks).find(([, each]) => takesPrompt(each))?.[0]
  return task === undefined || takesPrompt(found.details) ? found : here.find(call.name, task)
}

/** A call that was not carried out. */
function invalid(
  call: ReadCall,
  found: FoundTask | null,
  faults: readonly CallFault[],
  definition: ToolDefinition | null = found?.definition ?? null,
): CallResult {
  const lines = faults.slice(0, 8).map(({ code, message }) => `- ${code}: ${message}`)
  const codes = [...new Set(faults.map(({ code }) => code))]
  return {
    ...named(call, found, definition),
    status: 'invalid',
    error_codes: codes,
    error_type: call.parse_ok ? 'InvalidInput' : 'JSONDecodeError',
    observation: `Error: the tool was not called.\n${lines.join('\n')}`,
    schema_ok: false,
    schema_errors: faults,
  }
}

function resultOf(call: ReadCall, found: FoundTask, outcome: Outcome): CallResult {
  const { result, attempt, cache_hit, server } = outcome
  const base: CallResult = {
    ...named(call, found, found.definition),
    attempt,
    cache_hit,
    server,
    queued_ms: Math.round(outcome.queued_ms),
    latency_ms: Math.round(outcome.latency_ms),
  }
  if (result.status !== 'ok') {
    const isBad = result.error_type === 'InvalidOutput'
    const codes: CallCode[] = isBad ? ['E5'] : result.status === 'tool_error' ? [] : ['INFRA']
    const observation = `Error (${result.error_type}): ${result.message}`
    return {
      ...base,
      status: result.status,
      error_codes: codes,
      error_type: result.error_type,
      observation,
      ...(isBad ? { output_schema_ok: false } : {}),
    }
  }
  const { text, output, images } = result.said
  const faults = checkOf(found.details.output)(output)
  const n = output['num_detections']
  const said: CallResult = {
    ...base,
    output_json: output,
    output_schema_ok: faults.length === 0,
    output_images: images.map((bytes) => ({ image_id: createHash('sha256').update(bytes).digest('hex'), bytes })),
    n_detections: typeof n === 'number' ? n : null,
  }
  if (faults.length === 0) return { ...said, observation: text.trim() === '' ? 'The tool found nothing.' : text }
  const why = faults
    .slice(0, 3)
    .map(({ path, message }) => `${path === '' ? 'the output' : path} ${message}`)
    .join('; ')
  const observation = `Error (InvalidOutput): what ${found.definition.name} gave does not fit its schema: ${why}`
  return {
    ...said,
    status: 'tool_error',
    error_codes: ['E5'],
    error_type: 'InvalidOutput',
    observation,
    output_images: [],
  }
}

function named(call: ReadCall, found: FoundTask | null, definition: ToolDefinition | null): CallResult {
  return {
    status: 'ok',
    error_codes: [],
    error_type: null,
    observation: '',
    output_json: null,
    output_schema_ok: null,
    output_images: [],
    name: call.name,
    tool: definition?.name ?? null,
    family: definition?.family ?? null,
    subset: found?.details.subset ?? definition?.subset ?? null,
    task: found?.task ?? call.task,
    call_shape: call.shape,
    arguments: call.arguments,
    parse_ok: call.parse_ok,
    schema_ok: true,
    schema_errors: [],
    n_detections: null,
    attempt: 0,
    cache_hit: false,
    queued_ms: 0,
    latency_ms: 0,
    server: 'local',
  }
}

/** What came of a call, or that it was stopped: the tool may run on for a while, and nobody waits for it. */
async function unlessAborted(ran: Promise<Outcome>, signal: AbortSignal): Promise<Outcome> {
  const stopped = Promise.withResolvers<Outcome>()
  const stop = (): void =>
    stopped.resolve(refused({ status: 'infra', error_type: 'Aborted', message: 'the call was stopped' }, 'local'))
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  const outcome = await Promise.race([ran, stopped.promise])
  // The signal may be that of a whole run: it must not gather listeners.
  signal.removeEventListener('abort', stop)
  return outcome
}

function refused(result: JobOutcome['result'], server: string): Outcome {
  return { result, queued_ms: 0, latency_ms: 0, attempt: 0, cache_hit: false, server }
}

/** The same whatever order the names were written in. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  )
}
