/** A server of ingest alone, run as a process by tests: `node ingest-server.ts <folder>` prints its port. */
import { join } from 'node:path'
import { directoryBlobs } from '#services/blobs/directory.ts'
import { ingestApp } from '#services/ingest/app.ts'
import { lmdbLog } from '#services/log/lmdb.ts'
import { silent } from '#services/logger.ts'
import { startFront } from '#services/serve/front.ts'

const folder = process.argv[2] ?? ''
const log = await lmdbLog({
  folder: join(folder, 'log'),
  partitions: 4,
  clock: () => new Date(),
  pendingBytesMax: 128 * 1024 * 1024,
  logger: silent,
})
const blobs = await directoryBlobs({ folder: join(folder, 'blobs') })
const front = await startFront({
  host: '127.0.0.1',
  port: 0,
  ingest: ingestApp({ log, blobs, logger: silent }),
  querySocket: join(folder, 'query.sock'),
  logger: silent,
})
console.log(front.port)

process.on('SIGTERM', () => {
  void front
    .close(5_000)
    .then(() => log.close())
    .then(() => blobs.close())
})
