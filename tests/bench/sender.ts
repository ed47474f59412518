/**
 * The client, in a process of its own: requests are encoded before the clock starts (or while a file that is too large
 * for that is read), and go over sockets without an HTTP library, so that the client costs little of the machine.
 * Told by its parent what to send; answers with what was acknowledged and how long each took.
 */
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { parts } from './workload.ts'

/** What to send: lines [skip, skip + events) of a file. */
export interface SendOrder {
  readonly port: number
  readonly path: string
  readonly target: string
  readonly file: string
  readonly connections: number
  readonly eventsPerRequest: number
  readonly contentType: string
  /** Read the requests as they are needed instead of before the clock starts; `hold` then stops after so many events until told to go on. */
  readonly holdEvery?: number
}

/** What came of it. */
export interface Sent {
  readonly events: number
  readonly requests: number
  readonly ms: number
  /** Time until each acknowledgement, in ms, ascending. */
  readonly latencies: readonly number[]
  /** Requests that were answered 429 or 503, and sent again. */
  readonly again: number
}

export type FromSender = { readonly is: 'held'; readonly events: number } | { readonly is: 'sent'; readonly sent: Sent }

interface Request {
  readonly bytes: Buffer
  readonly events: number
}

const HEAD_END = Buffer.from('\r\n\r\n')

function* requests(order: SendOrder): Generator<Request> {
  for (const { bytes, lines } of parts(order.file, order.eventsPerRequest)) {
    const body = order.eventsPerRequest === 1 ? bytes.subarray(0, bytes.length - 1) : bytes
    const head = `POST ${order.target} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: ${order.contentType}\r\ncontent-length: ${body.length}\r\n\r\n`
    yield { bytes: Buffer.concat([Buffer.from(head), body]), events: lines }
  }
}

/** One keep-alive connection, one request at a time. */
class Connection {
  readonly #socket: Socket
  #answer: Buffer = Buffer.alloc(0)
  #waiting: PromiseWithResolvers<number> | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (piece: Buffer) => this.#receive(piece))
    socket.on('error', (error) => this.#waiting?.reject(error))
    socket.on('close', () => this.#waiting?.reject(new Error('the server closed the connection')))
  }

  /** Sends a request and resolves with the status once the whole answer is there. */
  send(bytes: Buffer): Promise<number> {
    this.#waiting = Promise.withResolvers<number>()
    this.#socket.write(bytes)
    return this.#waiting.promise
  }

  #receive(piece: Buffer): void {
    this.#answer = this.#answer.length === 0 ? piece : Buffer.concat([this.#answer, piece])
    const headEnd = this.#answer.indexOf(HEAD_END)
    if (headEnd < 0) return
    const head = this.#answer.toString('latin1', 0, headEnd)
    const length = /content-length: *(\d+)/i.exec(head)?.[1]
    const isChunked = /transfer-encoding: *chunked/i.test(head)
    const whole = isChunked
      ? this.#answer.toString('latin1', this.#answer.length - 5) === '0\r\n\r\n'
      : this.#answer.length >= headEnd + 4 + Number(length ?? 0)
    if (!whole) return
    this.#answer = Buffer.alloc(0)
    this.#waiting?.resolve(Number(head.slice(9, 12)))
  }

  end(): void {
    this.#socket.destroy()
  }
}

async function opened(port: number): Promise<Connection> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return new Connection(socket)
}

const AGAIN = new Set([429, 503])

async function run(order: SendOrder): Promise<Sent> {
  const source = order.holdEvery === undefined ? [...requests(order)].values() : requests(order)
  const connections = await Promise.all(Array.from({ length: order.connections }, () => opened(order.port)))
  const latencies: number[] = []
  let [events, again, taken] = [0, 0, 0]
  let holding: Promise<unknown> = Promise.resolve()
  let holdAt = order.holdEvery ?? Infinity
  const work = async (connection: Connection): Promise<void> => {
    for (;;) {
      await holding
      const next = source.next()
      if (next.done === true) return
      taken += next.value.events
      if (taken >= holdAt) {
        holdAt += order.holdEvery ?? Infinity
        holding = once(process, 'message')
      }
      const sentMs = performance.now()
      for (
        let status = await connection.send(next.value.bytes);
        status !== 200;
        status = await connection.send(next.value.bytes)
      ) {
        if (!AGAIN.has(status)) throw new Error(`the server answered ${status}`)
        again += 1
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      latencies.push(performance.now() - sentMs)
      const before = events
      events += next.value.events
      const hold = order.holdEvery
      if (hold !== undefined && Math.floor(before / hold) < Math.floor(events / hold)) tell({ is: 'held', events })
    }
  }
  const startedMs = performance.now()
  await Promise.all(connections.map(work))
  const ms = performance.now() - startedMs
  for (const connection of connections) connection.end()
  return { events, requests: latencies.length, ms, latencies: latencies.toSorted((left, right) => left - right), again }
}

function tell(message: FromSender): void {
  process.send?.(message)
}

process.once('message', (order: SendOrder) => {
  void run(order).then((sent) => process.send?.({ is: 'sent', sent } satisfies FromSender, () => process.disconnect()))
})
