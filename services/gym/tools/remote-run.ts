/** Runs tools that are elsewhere: time limit, attempts and how many at once are kept here, the wire is the adapter's. */
import { RemoteFailure, type CallContext, type RemoteTool } from './tools.ts'
import type { FoundTask } from './registry.ts'
import type { JobOutcome, JobResult } from './pool.ts'
import { encode } from 'fast-png'

/** The wait before another attempt doubles from here. */
const pause_ms = 100

export type RemoteRunner = {
  has(tool: string): boolean
  /** Never throws. */
  run(
    found: FoundTask,
    values: Readonly<Record<string, unknown>>,
    context: CallContext,
    signal: AbortSignal,
  ): Promise<JobOutcome & { attempt: number; cache_hit: boolean; server: string }>
}

export function remoteRunner(
  remotes: readonly RemoteTool[],
  { queueMax, now }: { queueMax: number; now: () => number },
): RemoteRunner {
  const byName = new Map(remotes.map((remote) => [remote.tool, { remote, running: 0, waiting: [] as (() => void)[] }]))
  return {
    has: (tool) => byName.has(tool),
    async run(found, values, context, signal) {
      const since = now()
      const place = byName.get(found.definition.name)
      const server = place?.remote.server ?? 'none'
      const refused = (error_type: string, message: string) => ({
        result: { status: 'infra', error_type, message } as JobResult,
        queued_ms: now() - since,
        latency_ms: 0,
        attempt: 0,
        cache_hit: false,
        server,
      })
      if (place === undefined) return refused('NotAvailable', `no address is set for ${found.definition.name}`)
      if (place.waiting.length >= queueMax)
        return refused('Overloaded', `more than ${queueMax} calls wait for the tool`)
      if (place.running >= found.definition.concurrency) await new Promise<void>((go) => place.waiting.push(go))
      else place.running++
      try {
        if (signal.aborted) return refused('Aborted', 'the call was stopped')
        const began = now()
        const { result, attempt } = await attempts(place.remote, found, values, context, signal)
        return { result, attempt, queued_ms: began - since, latency_ms: now() - began, cache_hit: false, server }
      } finally {
        // The place goes to the next one in the queue, or is free.
        const next = place.waiting.shift()
        if (next === undefined) place.running--
        else next()
      }
    },
  }
}

async function attempts(
  remote: RemoteTool,
  { definition, task }: FoundTask,
  values: Readonly<Record<string, unknown>>,
  context: CallContext,
  signal: AbortSignal,
): Promise<{ result: JobResult; attempt: number }> {
  for (let attempt = 0; ; attempt++) {
    const limit = AbortSignal.timeout(definition.timeout_ms)
    const stop = AbortSignal.any([signal, limit])
    const { result, again } = await once(remote, { definition, task, arguments: values, context }, stop, limit)
    if (!again || attempt >= definition.retries || signal.aborted) return { result, attempt }
    await new Promise((done) => setTimeout(done, pause_ms * 2 ** Math.min(attempt, 6)))
  }
}

async function once(
  remote: RemoteTool,
  request: Parameters<RemoteTool['call']>[0],
  stop: AbortSignal,
  limit: AbortSignal,
): Promise<{ result: JobResult; again: boolean }> {
  try {
    // An adapter that does not heed the signal is left behind.
    const output = await Promise.race([remote.call(request, stop), whenAborted(stop)])
    const images = (output.images ?? []).map(({ width, height, data }) => encode({ width, height, data, channels: 4 }))
    return { result: { status: 'ok', said: { text: output.text, output: output.output, images } }, again: false }
  } catch (error) {
    const message = (error instanceof Error ? error.message : String(error)).slice(0, 2000)
    if (limit.aborted) {
      const seconds = request.definition.timeout_ms / 1000
      const result = {
        status: 'timeout',
        error_type: 'Timeout',
        message: `the tool took longer than ${seconds} s`,
      } as const
      return { result, again: true }
    }
    if (stop.aborted)
      return { result: { status: 'infra', error_type: 'Aborted', message: 'the call was stopped' }, again: false }
    if (!(error instanceof RemoteFailure))
      return { result: { status: 'infra', error_type: 'APIError', message }, again: true }
    const error_type = error.kind === 'bad_output' ? 'InvalidOutput' : error.error_type
    return {
      result: { status: error.kind === 'infra' ? 'infra' : 'tool_error', error_type, message },
      again: error.kind === 'infra',
    }
  }
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, fail) => {
    const stop = (): void => fail(new Error('stopped'))
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
