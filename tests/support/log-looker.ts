/** A thread or a process that reads a log: for each offset that it is sent it answers the texts from there on. */
import { parentPort, workerData } from 'node:worker_threads'
import { lmdbLogReader } from '#services/log/lmdb-reader.ts'

const log = await lmdbLogReader({ folder: typeof workerData === 'string' ? workerData : (process.argv[2] ?? '') })

async function answer(from: number): Promise<void> {
  if (from < 0) {
    await log.close()
    if (parentPort === null) process.disconnect()
    else parentPort.close()
    return
  }
  const records = await log.read(log.partitionOf('k'), from, { recordsMax: 1000, bytesMax: 1e9 })
  const texts = records.map(({ value }) => Buffer.from(value ?? []).toString())
  if (parentPort === null) process.send?.(texts)
  else parentPort.postMessage(texts)
}

if (parentPort === null) process.on('message', (from) => void answer(Number(from)))
else parentPort.on('message', (from) => void answer(Number(from)))
