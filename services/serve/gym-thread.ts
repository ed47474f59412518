/** The gym's thread: it draws pictures and runs episodes, beside everything else of the process. */
import { parentPort, workerData } from 'node:worker_threads'
import { startServedGym } from '#services/gym/served.ts'
import { errorText, jsonLogger } from '#services/logger.ts'
import { sentProblem } from '#services/sent-problem.ts'
import type { FromGym, GymStart } from './gym-process.ts'

if (parentPort !== null) {
  const port = parentPort
  // The port belongs to one thread, so there is no origin to name.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  const tell = (message: FromGym): void => port.postMessage(message)
  const { config, publishTo, socket } = workerData as GymStart
  const logger = jsonLogger({
    program: 'gym',
    level: config.logLevel,
    write: (line) => void process.stderr.write(line),
    now: () => new Date(),
  })
  try {
    const stopping = new Promise<void>((resolve) => port.once('message', () => resolve()))
    const gym = await startServedGym({
      config,
      publishTo,
      listen: { path: socket },
      logger,
      now: Date.now,
    })
    tell({ kind: 'ready' })
    await stopping
    await gym.close()
    tell({ kind: 'stopped' })
  } catch (error) {
    tell({ kind: 'failed', problem: sentProblem(error), text: errorText(error) })
  }
  port.close()
}
