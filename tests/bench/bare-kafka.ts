/**
 * A bare producer, as a process: `node bare-kafka.ts <client> <brokers> <topic> <file> <events a batch> <at once>` sends the
 * lines of a file with acks=all and prints events a second. Everything is cut and keyed before the clock starts.
 */
import { Producer } from '@platformatic/kafka'
import kafkajs from 'kafkajs'
import { partitionOf } from '#services/log/murmur2.ts'
import { parts } from './workload.ts'

const [client = '', brokers = '', topic = '', file = '', count = '200', atOnce = '4'] = process.argv.slice(2)
const PARTITIONS = 4
const ALL = -1

interface Message {
  readonly topic: string
  readonly key: Buffer
  readonly value: Buffer
  readonly partition: number
}

interface Sender {
  send(messages: Message[]): Promise<unknown>
  close(): Promise<unknown>
}

async function kafkaJs(): Promise<Sender> {
  const producer = new kafkajs.Kafka({
    clientId: 'bare',
    brokers: brokers.split(','),
    logLevel: kafkajs.logLevel.NOTHING,
  }).producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
  await producer.connect()
  return {
    send: (messages) => producer.send({ topic, acks: ALL, messages }),
    close: () => producer.disconnect(),
  }
}

function platformatic(): Sender {
  const producer = new Producer({ clientId: 'bare', bootstrapBrokers: brokers.split(','), acks: ALL })
  return { send: (messages) => producer.send({ messages, acks: ALL }), close: () => producer.close() }
}

const batches: Message[][] = []
for (const { bytes } of parts(file, Number(count))) {
  const batch: Message[] = []
  for (let from = 0, end = bytes.indexOf(10); end >= 0; from = end + 1, end = bytes.indexOf(10, from)) {
    const value = Buffer.from(bytes.subarray(from, end))
    const key = /"trajectory_id":"([^"]+)"/.exec(value.toString('latin1'))?.[1] ?? ''
    batch.push({ topic, key: Buffer.from(key), value, partition: partitionOf(key, PARTITIONS) })
  }
  batches.push(batch)
}
const sender = client === 'kafkajs' ? await kafkaJs() : platformatic()
// The first send looks for the leaders.
await sender.send(batches[0]?.slice(0, 1) ?? [])
const left = batches.values()
const startedMs = performance.now()
await Promise.all(
  Array.from({ length: Number(atOnce) }, async () => {
    for (const batch of left) await sender.send(batch)
  }),
)
const events = batches.reduce((sum, { length }) => sum + length, 0)
process.stdout.write(`${(events / (performance.now() - startedMs)) * 1000}\n`)
await sender.close()
