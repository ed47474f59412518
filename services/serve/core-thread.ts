/** The core thread: store, project, archive and query. It reads the log itself and asks the main thread to append. */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { openBlobs } from '#services/blobs/open.ts'
import { openLogReader, type OwnedLog } from '#services/log/open.ts'
import { errorText, jsonLogger } from '#services/logger.ts'
import type { Offsets } from '#services/position.ts'
import { receivedProblem, sentProblem } from '#services/sent-problem.ts'
import { type CoreStart, type FromCore, type LogRequest, type ToCore } from './core-messages.ts'
import { serveOnSocket } from './socket-server.ts'
import { openWorld } from './world.ts'

interface Waiting {
  readonly resolve: (offsets: Offsets) => void
  readonly reject: (error: Error) => void
}

/** Posts a message; the port belongs to one thread, so there is no origin to name. */
function post(port: MessagePort, message: FromCore): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  port.postMessage(message)
}

/** A log that is read here and written by the main thread. */
async function sharedLog(start: CoreStart, port: MessagePort): Promise<OwnedLog> {
  const reader = await openLogReader(start.config.log)
  const waiting = new Map<number, Waiting>()
  let nextId = 0
  const ask = (request: LogRequest): Promise<Offsets> =>
    new Promise((resolve, reject) => {
      const id = nextId++
      waiting.set(id, { resolve, reject })
      post(port, { kind: 'log', id, request })
    })
  port.on('message', (message: ToCore) => {
    if (message.kind === 'stop') return
    const found = waiting.get(message.id)
    waiting.delete(message.id)
    if (message.kind === 'log_done') found?.resolve(message.offsets)
    else found?.reject(receivedProblem(message.problem, 'main thread'))
  })
  return {
    ...reader,
    append: (records) => ask({ do: 'append', records }),
    continueAfter: async (offsets) => {
      await ask({ do: 'continue_after', offsets })
    },
  }
}

async function run(start: CoreStart, port: MessagePort): Promise<void> {
  const clock = (): Date => new Date()
  const logger = jsonLogger({
    program: 'core',
    level: start.config.logLevel,
    write: (line) => void process.stderr.write(line),
    now: clock,
  })
  const stopping = new Promise<void>((resolve) => {
    port.on('message', (message: ToCore) => {
      if (message.kind === 'stop') resolve()
    })
  })
  const log = await sharedLog(start, port)
  const blobs = await openBlobs(start.config.blobs, logger)
  const world = await openWorld({
    config: start.config,
    log,
    blobs,
    logger,
    clock,
    publicUrl: start.publicUrl,
    scratchDir: start.scratchDir,
    onRebuild: (progress) => post(port, { kind: 'rebuild', progress }),
  })
  const server = await serveOnSocket(world.fetch, start.socket)
  post(port, { kind: 'ready' })
  await stopping
  await server.close()
  await world.close()
  await blobs.close()
  await log.close()
  post(port, { kind: 'stopped' })
}

if (parentPort !== null) {
  const port = parentPort
  try {
    await run(workerData as CoreStart, port)
  } catch (error) {
    post(port, { kind: 'failed', problem: sentProblem(error), text: errorText(error) })
  }
  port.close()
}
