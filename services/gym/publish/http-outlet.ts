/** The way from the spool to a server: events and pictures over HTTP, tried again for as long as that can help. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Problem } from '#services/problem.ts'
import type { Outlet } from './spool.ts'

export interface HttpOutletOptions {
  /** The base of the server's URLs, without a slash at the end. */
  readonly url: string
  readonly key: string | undefined
  /** Ends what is under way, and all that comes after it. */
  readonly signal: AbortSignal
  /** Told why something is tried again. */
  readonly onRetry?: (reason: string) => void
  /** Told what the server could not read, and has put into quarantine: a fault of the gym, that nobody should have to search for. */
  readonly onUnread?: (what: string) => void
}

/** How long one request may take. */
const REQUEST_MS_MAX = 60_000
const PAUSE_MS = { first: 200, max: 10_000 }

/**
 * An outlet to a server. It waits out servers that cannot be reached, are starting (503), are over budget (429) or fail
 * (5xx); sending twice is harmless there. Throws `unreadable` where the server refuses, and when `signal` is aborted.
 */
export function httpOutlet({ url, key, signal, onRetry, onUnread }: HttpOutletOptions): Outlet {
  const authorization: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const carry = async (path: string, method: string, type: string, body: Uint8Array<ArrayBuffer>): Promise<void> => {
    for (let pause = PAUSE_MS.first; ; pause = Math.min(pause * 2, PAUSE_MS.max)) {
      signal.throwIfAborted()
      const request = {
        method,
        body,
        headers: { 'content-type': type, ...authorization },
        signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS_MAX)]),
      }
      const reason = await tried(`${url}${path}`, request, onUnread)
      if (reason === undefined) return
      signal.throwIfAborted()
      onRetry?.(reason)
      await sleep(pause, undefined, { signal })
    }
  }
  return {
    putImage: (id, bytes) => carry(`/v1/images/${id}`, 'PUT', 'image/png', new Uint8Array(bytes)),
    send: (events) =>
      carry('/v1/events', 'POST', 'application/x-ndjson', Buffer.concat(events.flatMap((event) => [event, NEWLINE]))),
  }
}

const NEWLINE = Buffer.from('\n')
/** Some were taken, and some could not be read. */
const MULTI_STATUS = 207

/** One request: undefined where it was taken, else why it should be tried again. Throws where that cannot help. */
async function tried(
  url: string,
  request: RequestInit,
  onUnread: HttpOutletOptions['onUnread'],
): Promise<string | undefined> {
  let answer: Response
  let text: string
  try {
    answer = await fetch(url, request)
    text = await answer.text()
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    return `the server cannot be reached (${cause instanceof Error ? cause.message : String(cause)})`
  }
  if (answer.status === MULTI_STATUS) onUnread?.(text.slice(0, 600))
  if (answer.ok) return undefined
  if (answer.status === 429 || answer.status >= 500) return `the server answered ${answer.status}`
  throw new Problem('unreadable', `the server refused what the gym sends: ${answer.status} ${text.slice(0, 300)}`, {
    hint: 'see STEPSTORE_URL and STEPSTORE_KEY; what was not sent stays in the data folder',
  })
}
