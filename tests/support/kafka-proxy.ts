/** Stands before a broker and loses answers on their way back. It reads just enough of the protocol to know which. */
import { createServer, connect, type Socket } from 'node:net'

const PRODUCE = 0

export interface KafkaProxy {
  readonly port: number
  /** How many answers to Produce were lost so far: the broker stored the records, and the client's connection broke. */
  readonly lost: number
  /** Says of each answer to Produce whether it gets lost. */
  loseProduce(decide: () => boolean): void
  /** Says of each Produce whether it gets lost on its way to the broker, and the connection with it. */
  cutProduce(decide: () => boolean): void
  close(): Promise<void>
}

/** Calls `frame` for each message of a stream, whole, with its length in front. */
function byFrame(frame: (bytes: Buffer) => void): (chunk: Buffer) => void {
  let held: Buffer = Buffer.alloc(0)
  return (chunk) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
      const end = 4 + held.readInt32BE(0)
      frame(held.subarray(0, end))
      held = held.subarray(end)
    }
  }
}

/** Listens on a free port for what is meant for `target`. */
export async function kafkaProxy(target: number): Promise<KafkaProxy> {
  const sockets = new Set<Socket>()
  let decide = (): boolean => false
  let cut = (): boolean => false
  let lost = 0

  const join = (client: Socket): void => {
    const broker = connect(target, '127.0.0.1')
    const produces = new Set<number>()
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    client.on(
      'data',
      byFrame((bytes) => {
        if (bytes.readInt16BE(4) === PRODUCE) {
          if (cut()) return void client.destroy()
          produces.add(bytes.readInt32BE(8))
        }
        broker.write(bytes)
      }),
    )
    broker.on(
      'data',
      byFrame((bytes) => {
        if (!produces.delete(bytes.readInt32BE(4)) || !decide()) return void client.write(bytes)
        lost++
        client.destroy()
      }),
    )
  }

  const server = createServer(join)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    get lost() {
      return lost
    },
    loseProduce: (decision) => (decide = decision),
    cutProduce: (decision) => (cut = decision),
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
