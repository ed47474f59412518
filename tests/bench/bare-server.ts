/** What anybody would write first: a route that parses the event and puts its bytes durably. Prints its port. */
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { open } from 'lmdb'

const records = open<Buffer, number>({ path: process.argv[2] ?? '', encoding: 'binary', overlappingSync: false })
let next = 0
const app = new Hono()
app.post('/v1/events', async (call) => {
  const bytes = Buffer.from(await call.req.arrayBuffer())
  const event = JSON.parse(bytes.toString()) as { id?: unknown }
  if (typeof event.id !== 'string') return call.json({ error: 'no event' }, 400)
  const offset = next++
  await records.put(offset, bytes)
  return call.json({ offset })
})
const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) =>
  process.stdout.write(`${port}\n`),
)
process.on('SIGTERM', () => {
  server.close(() => void records.close())
})
