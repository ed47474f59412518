/** OpenEnv over WebSockets: a session for each socket, in bounded number, memory and time. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type RawData, WebSocket, WebSocketServer } from 'ws'
import type { Gym } from '#services/gym/loop/gym.ts'
import { errorText, type Logger } from '#services/logger.ts'
import { rpcAnswerTo, type RpcAnswer } from './mcp.ts'
import { capacityReached, openEnvSession, type OpenEnvMessage } from './openenv-session.ts'

export interface SocketOptions {
  readonly gym: Gym
  readonly sessionsMax: number
  /** The largest message. */
  readonly bytesMax: number
  /** A socket without a message for so long is closed. */
  readonly idleMs: number
  readonly logger: Logger
}

export interface Sockets {
  /** Takes over a connection that asks for /ws, or, with `isMcp`, for /mcp. */
  upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer, isMcp: boolean): void
  /** How many sessions there are. */
  readonly count: number
  /** Closes all sessions, with their episodes. */
  close(): Promise<void>
}

/** How much may wait to be sent to a client that does not read before its next message is waited with. */
const UNSENT_BYTES_MAX = 8 * 1024 * 1024
/** What answers the messages of a socket; undefined asks to close it. */
interface Session {
  answer(message: string): Promise<OpenEnvMessage | RpcAnswer | undefined>
  close(): Promise<void>
}

/** Codes of RFC 6455. */
const GOING_AWAY = 1001
const TRY_AGAIN_LATER = 1013

/** Serves sessions on upgraded connections. */
export function openEnvSockets(options: SocketOptions): Sockets {
  const { sessionsMax, bytesMax, logger } = options
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: bytesMax,
    perMessageDeflate: false,
    clientTracking: false,
  })
  const open = new Map<WebSocket, () => Promise<void>>()
  const accept = (socket: WebSocket, isMcp: boolean): void => {
    // An error is followed by a close, which is where the session ends.
    socket.on('error', (error) => logger('info', 'socket failed', { error: errorText(error) }))
    if (open.size >= sessionsMax) {
      socket.send(JSON.stringify(capacityReached(open.size, sessionsMax)))
      socket.close(TRY_AGAIN_LATER, 'capacity')
      return
    }
    const end = serve(socket, isMcp ? mcpSession(options.gym) : openEnvSession(options.gym), options)
    open.set(socket, end)
    socket.on('close', () => {
      open.delete(socket)
      end().catch((error: unknown) => logger('error', 'session did not end well', { error: errorText(error) }))
    })
  }
  return {
    upgrade: (incoming, socket, head, isMcp) =>
      server.handleUpgrade(incoming, socket, head, (accepted) => accept(accepted, isMcp)),
    get count() {
      return open.size
    },
    close: async () => {
      const ends = [...open].map(async ([socket, end]) => {
        socket.close(GOING_AWAY, 'the server stops')
        await end()
        socket.terminate()
      })
      await Promise.all(ends)
      server.close()
    },
  }
}

/** JSON-RPC over a socket, without an episode. */
const mcpSession = (gym: Gym): Session => ({
  answer: async (message) => rpcAnswerTo(gym, message),
  close: async () => {},
})

/** Answers the messages of one socket in their order. Gives what ends its session. */
function serve(socket: WebSocket, session: Session, { idleMs, logger }: SocketOptions): () => Promise<void> {
  let turn: Promise<void> = Promise.resolve()
  let idle: NodeJS.Timeout | undefined
  let ended: Promise<void> | undefined
  const wait = (): void => {
    clearTimeout(idle)
    idle = setTimeout(() => {
      void send(socket, {
        type: 'error',
        data: { message: `no message for ${idleMs / 1000} s`, code: 'SESSION_ERROR' },
      })
      socket.close(GOING_AWAY, 'idle')
    }, idleMs).unref()
  }
  const answer = async (text: string): Promise<void> => {
    clearTimeout(idle)
    const said = await session.answer(text)
    if (said === undefined) socket.close()
    else await send(socket, said)
    if (ended === undefined) wait()
  }
  socket.on('message', (data: RawData) => {
    // What a client sends ahead stays in its socket until the answer is out.
    socket.pause()
    turn = turn
      .then(() => answer((data as Buffer).toString('utf8')))
      .catch((error: unknown) => {
        logger('error', 'session failed', { error: errorText(error) })
        socket.close(1011, 'failed')
      })
      .finally(() => socket.resume())
  })
  wait()
  const end = async (): Promise<void> => {
    clearTimeout(idle)
    await turn
    await session.close()
  }
  return () => (ended ??= end())
}

/** Sends a message; waits where the client is slow in reading. */
function send(socket: WebSocket, message: OpenEnvMessage | RpcAnswer): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== WebSocket.OPEN) return resolve()
    // A failed send closes the socket, which is heard of elsewhere.
    socket.send(JSON.stringify(message), () => resolve())
    if (socket.bufferedAmount < UNSENT_BYTES_MAX) resolve()
  })
}
