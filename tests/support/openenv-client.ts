/** A bare OpenEnv client: messages there and back, in order, over a WebSocket. */
import { once } from 'node:events'
import { WebSocket } from 'ws'

export type OpenEnvAnswer = { readonly type: string; readonly data: Readonly<Record<string, unknown>> }

export interface OpenEnvClient {
  /** Sends a message (text as it is) and gives the answer to it. */
  say(message: unknown): Promise<OpenEnvAnswer>
  /** The next message that comes by itself. */
  heard(): Promise<OpenEnvAnswer>
  /** Resolves with the code when the server has closed. */
  readonly closed: Promise<number>
  close(): Promise<void>
}

/** Connects to the `ws`, or another path, of `url`. Rejects where it is refused. */
export async function openEnvClient(url: string, path = 'ws'): Promise<OpenEnvClient> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/${path}`)
  const waiting: ((answer: OpenEnvAnswer) => void)[] = []
  const early: OpenEnvAnswer[] = []
  socket.on('message', (data) => {
    const answer = JSON.parse((data as Buffer).toString('utf8')) as OpenEnvAnswer
    const next = waiting.shift()
    if (next === undefined) early.push(answer)
    else next(answer)
  })
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  await once(socket, 'open')
  const heard = (): Promise<OpenEnvAnswer> => {
    const first = early.shift()
    return first === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(first)
  }
  return {
    heard,
    say: (message) => {
      socket.send(typeof message === 'string' ? message : JSON.stringify(message))
      return heard()
    },
    closed,
    close: async () => {
      socket.close()
      await closed
    },
  }
}
