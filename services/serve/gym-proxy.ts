/** WebSockets of the gym, handed on byte by byte to the socket where it answers. */
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { asProblem, problemBody } from '#services/problem.ts'
import type { GymProcess } from './gym-process.ts'

/** Whether a request is the gym's. */
export const isGym = (url = ''): boolean => /^\/(?:gym|v1\/gym)(?:[/?]|$)/.test(url)

/** Hands a connection on to the gym, the request that asks for the WebSocket first. Either side that ends takes the other with it. */
export async function handOn(gym: GymProcess, incoming: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
  client.on('error', () => client.destroy())
  try {
    await gym.ready()
  } catch (error) {
    const body = JSON.stringify(problemBody(asProblem(error)))
    client.end(
      `HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    )
    return
  }
  const server = connect(gym.socket)
  server.on('error', () => client.destroy())
  client.on('close', () => server.destroy())
  server.on('close', () => client.destroy())
  const { rawHeaders, method = 'GET', url = '/' } = incoming
  const lines = [`${method} ${url} HTTP/1.1`]
  for (let place = 0; place + 1 < rawHeaders.length; place += 2)
    lines.push(`${rawHeaders[place]}: ${rawHeaders[place + 1]}`)
  server.write(`${lines.join('\r\n')}\r\n\r\n`)
  server.write(head)
  client.pipe(server).pipe(client)
}
