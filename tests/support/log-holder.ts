/** A process that holds the log of the folder it is given, and says when it does. */
import { lmdbLog } from '#services/log/lmdb.ts'
import { silent } from '#services/logger.ts'

const log = await lmdbLog({
  folder: process.argv[2] ?? '',
  partitions: 4,
  clock: () => new Date(),
  pendingBytesMax: 1e6,
  logger: silent,
})
await log.append([{ key: 'k', value: Buffer.from('held') }])
process.send?.('holding')

// Nothing else keeps the process alive. It is killed, so that the log is never closed.
setInterval(() => log.id, 1_000_000)
