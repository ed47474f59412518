/** The measure of everything: one thread that cuts lines and parses them, with nothing else to do. Prints events a second. */
import { readFileSync } from 'node:fs'

const bytes = readFileSync(process.argv[2] ?? '').subarray(0, 256 * 1024 * 1024)
let events = 0
const startedMs = performance.now()
let from = 0
for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
  const event: unknown = JSON.parse(bytes.toString('utf8', from, end))
  if (typeof event === 'object') events += 1
  from = end + 1
}
process.stdout.write(`${(events / (performance.now() - startedMs)) * 1000}\n`)
