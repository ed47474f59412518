import { test } from 'vitest'
import { bootstrap } from '#infra/local/kafka.ts'
import { kafkaTopics } from '#tests/support/kafka-topics.ts'
import { stack } from '#tests/support/stack.ts'
test('perf', async () => {
  const topics = await kafkaTopics(bootstrap(stack!.kafka).split(','))
  const topic = await topics.make()
  const log = await topics.open(topic)
  const N = 200_000, size = 1800, batch = 500, callers = 8
  const value = Buffer.alloc(size, 'abcdefghijk')
  let next = 0
  let t = performance.now()
  await Promise.all(Array.from({ length: callers }, async () => {
    while (next < N) { const from = next; next += batch
      await log.append(Array.from({ length: batch }, (_, i) => ({ key: `t-${(from + i) >> 3}`, headers: { 'content-type': 'application/cloudevents+json' }, value }))) }
  }))
  console.log('append/s', Math.round(N / ((performance.now() - t) / 1000)))
  t = performance.now(); let n = 0, reads = 0
  for (let p = 0; p < 4; p++) for (let o = 0; ;) { const r = await log.read(p, o, { recordsMax: 4000, bytesMax: 8 << 20 }); reads++; if (r.length === 0) break; n += r.length; o = r.at(-1)!.offset + 1 }
  console.log('read/s', Math.round(n / ((performance.now() - t) / 1000)), n, reads)
  t = performance.now(); n = 0
  for (let o = 0; o < 20000; o += 7) { const r = await log.readOne(1, o); if (r) n++ }
  console.log('readOne/s in order', Math.round(n / ((performance.now() - t) / 1000)))
  t = performance.now(); n = 0
  for (let i = 0; i < 300; i++) { const r = await log.readOne(i % 4, Math.floor(Math.random() * 45000)); if (r) n++ }
  console.log('readOne/s at random', Math.round(n / ((performance.now() - t) / 1000)))
  // bare
  const producer = topics.client().producer(); await producer.connect()
  next = 0; t = performance.now()
  await Promise.all(Array.from({ length: callers }, async () => {
    while (next < N) { const from = next; next += batch
      await producer.send({ topic, acks: -1, messages: Array.from({ length: batch }, (_, i) => ({ key: `t-${(from + i) >> 3}`, headers: { 'content-type': 'application/cloudevents+json' }, value })) }) }
  }))
  console.log('bare append/s', Math.round(N / ((performance.now() - t) / 1000)))
  await producer.disconnect()
  await log.close(); await topics.close()
}, 120_000)
