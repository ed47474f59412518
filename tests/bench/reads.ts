/** Reads over HTTP. */
import { Agent, request } from 'node:http'

const agent = new Agent({ keepAlive: true })

export interface Answer {
  readonly status: number
  readonly bytes: number
}

/** Reads a path whole. */
export function get(port: number, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ agent, host: '127.0.0.1', port, path }, (answer) => {
      let bytes = 0
      answer.on('data', (piece: Buffer) => {
        bytes += piece.length
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, bytes }))
      answer.on('error', reject)
    })
    call.on('error', reject)
    call.end()
  })
}

/** Reads a path, again while the server says that it is behind or still building. */
export async function getOk(port: number, path: string): Promise<Answer> {
  for (;;) {
    const answer = await get(port, path)
    if (answer.status === 200) return answer
    if (answer.status !== 202 && answer.status !== 429 && answer.status !== 503)
      throw new Error(`GET ${path} answered ${answer.status}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
