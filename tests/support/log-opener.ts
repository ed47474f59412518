/** A process that opens a log for reading and closes it, again and again, until its parent lets go of it. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { lmdbLogReader } from '#services/log/lmdb-reader.ts'

const folder = process.argv[2] ?? ''
let opened = 0
process.once('disconnect', () => process.exit())
for (;;) {
  const log = await lmdbLogReader({ folder })
  await log.close()
  opened += 1
  if (opened === 1) process.send?.(opened)
  await nextTurn()
}
