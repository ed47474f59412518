/** A proxy before Postgres that cuts connections where it matters most: around COMMIT. */
import { createServer, connect as dial, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'

/** `before`: the server never hears of the COMMIT. `after`: it does it, and its answer is lost. */
export type Cut = 'before' | 'after'

export interface PostgresFaults {
  readonly port: number
  /** The next commits: cut in one way or another, or passed on. Once used up, all pass. */
  cutCommits(...cuts: readonly (Cut | 'pass')[]): void
  /** Breaks every connection that is open now. */
  breakAll(): void
  /** Breaks every connection, and leads new ones to another server. */
  leadTo(port: number): void
  /** COMMITs seen so far. */
  readonly commits: number
  close(): Promise<void>
}

/** How a client asks for a commit: the text of a simple query or of a statement that it parses. */
const COMMIT = /(?:^|\0)commit\0/

export async function postgresFaults(first: number): Promise<PostgresFaults> {
  let target = first
  const sockets = new Set<Socket>()
  let planned: (Cut | 'pass')[] = []
  let commits = 0
  const server = createServer((client) => {
    const onward = dial(target, '127.0.0.1')
    let isMuted = false
    const breakBoth = (): void => {
      client.destroy()
      onward.destroy()
    }
    for (const socket of [client, onward]) {
      sockets.add(socket)
      socket.on('error', breakBoth)
      socket.on('close', () => {
        sockets.delete(socket)
        breakBoth()
      })
    }
    client.on('data', (bytes) => {
      if (COMMIT.test(bytes.toString('latin1').replace(/^Q..../s, ''))) {
        commits += 1
        const cut = planned.shift()
        if (cut === 'before') return breakBoth()
        isMuted = cut === 'after'
      }
      onward.write(bytes)
    })
    onward.on('data', (bytes) => {
      // The answer is here, so the commit is done.
      if (isMuted) return breakBoth()
      client.write(bytes)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const breakAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    cutCommits: (...cuts) => {
      planned = [...cuts]
    },
    breakAll,
    leadTo: (port) => {
      target = port
      breakAll()
    },
    get commits() {
      return commits
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}
