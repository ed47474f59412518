/**
 * The measure of everything: one thread that cuts lines and parses them, with nothing else to do. Prints events a
 * second, and the processor time of each in µs (which says more where the machine has other work).
 */
import { openSync, readSync } from 'node:fs'

const room = Buffer.allocUnsafe(256 * 1024 * 1024)
const bytes = room.subarray(0, readSync(openSync(process.argv[2] ?? '', 'r'), room))
let events = 0
const startedMs = performance.now()
const before = process.cpuUsage()
let from = 0
for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
  const event: unknown = JSON.parse(bytes.toString('utf8', from, end))
  if (typeof event === 'object') events += 1
  from = end + 1
}
const { user, system } = process.cpuUsage(before)
process.stdout.write(`${(events / (performance.now() - startedMs)) * 1000} ${(user + system) / events}\n`)
