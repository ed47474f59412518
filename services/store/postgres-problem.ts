/** What Postgres and the way to it answer, as problems: what the caller may do depends on whether anything was written. */
import { Problem } from '#services/problem.ts'

/** The SQLSTATE of an error, or the code that the system gave. */
const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

/** The server ends connections, is not up yet, or is up and may not be written (it was the primary once). */
const SERVER_LEAVES = new Set(['57P01', '57P02', '57P03', '25006', '25P03'])
const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
])
/** pg tells of these in words alone. */
const LOST_WORDS =
  /Connection terminated|Client has encountered a connection error|Client was closed|Query read timeout|timeout exceeded when trying to connect|server does not support SSL/i

/** Whether the connection is of no more use. A statement that was under way may have had its effect or not. */
export function isConnectionLost(error: unknown): boolean {
  const code = codeOf(error)
  return (
    SERVER_LEAVES.has(code) ||
    NETWORK.has(code) ||
    code.startsWith('08') ||
    (error instanceof Error && LOST_WORDS.test(error.message))
  )
}

/** Whether another attempt to connect may do better: the server is away, starting or full. */
export function isConnectWorthRetrying(error: unknown): boolean {
  const code = codeOf(error)
  return (
    code === '53300' ||
    code === '57P03' ||
    (isConnectionLost(error) && !(error instanceof Error && /SSL/.test(error.message)))
  )
}

type Said = readonly [code: 'unavailable' | 'conflict', detail: string, hint: string]

/** By SQLSTATE. Nothing was written in any of these. */
const SAID: Readonly<Record<string, Said>> = {
  '40001': [
    'conflict',
    'another transaction changed the same rows first',
    'nothing was written: read again, then try once more',
  ],
  '40P01': [
    'conflict',
    'two transactions waited for each other, and this one was ended',
    'nothing was written: read again, then try once more',
  ],
  '57014': [
    'unavailable',
    'the store took too long over a statement, and it was cancelled',
    'nothing was written: try again; if it goes on, look at what the store is busy with (pg_stat_activity)',
  ],
  '53300': [
    'unavailable',
    'the store has no connection left',
    'raise max_connections of Postgres, or run fewer programs',
  ],
  '53100': ['unavailable', 'the disk of the store is full', 'free some space on it'],
  '28P01': ['unavailable', 'the store refuses the password', 'correct STORE_URL'],
  '28000': ['unavailable', 'the store refuses the user', 'correct STORE_URL'],
  '3D000': [
    'unavailable',
    'the database of STORE_URL does not exist',
    'make it (createdb, then infra/postgres/roles.sql), or correct STORE_URL',
  ],
  '42501': [
    'unavailable',
    'the role of STORE_URL may not do that',
    'use the role that infra/postgres/roles.sql makes for this program; after an upgrade start one program as stepstore_owner first',
  ],
}

/** An error of pg as a problem; what is neither the server's state nor the way to it stays as it is. */
export function storeProblem(error: unknown): unknown {
  if (error instanceof Problem) return error
  const said = SAID[codeOf(error)]
  if (said !== undefined) {
    const [code, detail, hint] = said
    return new Problem(code, detail, { hint, retryAfterSeconds: 1, cause: error })
  }
  if (!isConnectionLost(error)) return error
  const refusesTls = error instanceof Error && /SSL/.test(error.message)
  return new Problem(
    'unavailable',
    refusesTls ? 'the store takes no TLS, and STORE_URL asks for it' : 'the store cannot be reached',
    {
      hint: refusesTls
        ? 'turn TLS on in Postgres, or use sslmode=disable on a network that you trust'
        : 'see that Postgres runs and that STORE_URL names it, then send the same again',
      retryAfterSeconds: 1,
      cause: error,
    },
  )
}

/** The connection went away after COMMIT was sent and before its answer: it was done or it was not, and only reading can tell. */
export function commitUnknown(cause: unknown): Problem {
  return new Problem('unavailable', 'the answer to a commit was lost: it was done or it was not', {
    hint: 'read the cursor again: where it moved, the commit was done',
    details: { committed: 'unknown' },
    retryAfterSeconds: 1,
    cause,
  })
}
