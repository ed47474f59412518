/** Connections to Postgres that tell what went wrong as problems, and are thrown away once they cannot be trusted. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import pg from 'pg'
import { from as copyFrom, type CopyStreamQuery } from 'pg-copy-streams'
import { errorText, type Logger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { commitUnknown, isConnectionLost, isConnectWorthRetrying, storeProblem } from './postgres-problem.ts'
import { postgresConnection } from './postgres-url.ts'

const INT8 = 20

function safeInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new Problem('corrupt', `the store answered ${text}, which is past 2^53 - 1`)
  return value
}

/** 8-byte integers as numbers. For our connections only: pg's own table of parsers is shared by the whole process. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary'
      ? safeInteger
      : (pg.types.getTypeParser(oid, format) as (text: string) => unknown),
}

/** A connection on loan. */
export class Lease implements PostgresPoolClient {
  readonly #client: pg.PoolClient
  #isLost = false

  constructor(client: pg.PoolClient) {
    this.#client = client
  }

  /** Whether the connection is gone. */
  get isLost(): boolean {
    return this.#isLost
  }

  query<Row>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<Row>>
  query(): never
  async query(text?: string, parameters: readonly unknown[] = []): Promise<unknown> {
    try {
      return await this.#client.query(text ?? '', [...parameters])
    } catch (error) {
      if (isConnectionLost(error)) this.#isLost = true
      // The server rolls back by itself what was under way on a connection that is gone.
      if (this.#isLost && text === 'rollback') return { command: 'ROLLBACK', rowCount: 0, rows: [] }
      throw this.#isLost && text === 'commit' ? commitUnknown(error) : storeProblem(error)
    }
  }

  /** A stream into a COPY statement. */
  copy(statement: string): CopyStreamQuery {
    return this.#client.query(copyFrom(statement))
  }

  /** An error of `copy`, as a problem. */
  copyFailed(error: unknown): unknown {
    if (isConnectionLost(error)) this.#isLost = true
    return storeProblem(error)
  }

  release(destroy = false): void {
    this.#client.release(destroy || this.#isLost)
  }
}

export interface ConnectionsOptions {
  readonly url: string
  readonly logger: Logger
  readonly poolMax: number
  /** 0 lets a statement run for ever. */
  readonly statementTimeoutMs: number
  readonly connectAttemptsMax: number
}

/** How long a new connection may take. */
const CONNECT_MS_MAX = 5_000
/** Idle connections are closed after this. */
const IDLE_MS = 30_000
/** A process that is stopped in the middle of a transaction holds up those who take its work for so long. */
const IDLE_TRANSACTION_MS = 15_000
/** The answer of a server that is gone never comes; past the statement's own time nothing is waited for. */
const ANSWER_MS_EXTRA = 5_000
const BACKOFF_MS = { first: 50, max: 2_000 }

/** A pool of connections. To connect is tried several times, as nothing has been sent yet; nothing else is done twice. */
export class Connections implements PostgresPool {
  readonly options = {}
  readonly #pool: pg.Pool
  readonly #attemptsMax: number
  #isClosed = false

  constructor({ url, logger, poolMax, statementTimeoutMs, connectAttemptsMax }: ConnectionsOptions) {
    this.#attemptsMax = connectAttemptsMax
    this.#pool = new pg.Pool({
      connectionTimeoutMillis: CONNECT_MS_MAX,
      application_name: 'stepstore',
      ...postgresConnection(url),
      types,
      max: poolMax,
      idleTimeoutMillis: IDLE_MS,
      keepAlive: true,
      ...(statementTimeoutMs === 0
        ? {}
        : {
            statement_timeout: statementTimeoutMs,
            idle_in_transaction_session_timeout: Math.min(statementTimeoutMs, IDLE_TRANSACTION_MS),
            query_timeout: statementTimeoutMs + ANSWER_MS_EXTRA,
          }),
    })
    const note = (error: unknown): void => logger('warn', 'store connection lost', { error: errorText(error) })
    this.#pool.on('error', note)
    // One that is on loan tells its holder by the next query; without a listener the process would end.
    this.#pool.on('connect', (client) => client.on('error', note))
  }

  async connect(): Promise<Lease> {
    for (let attempt = 1; ; attempt++) {
      if (this.#isClosed) throw new Problem('unavailable', 'the store is closed')
      try {
        return new Lease(await this.#pool.connect())
      } catch (error) {
        if (attempt >= this.#attemptsMax || !isConnectWorthRetrying(error)) throw storeProblem(error)
        await sleep(Math.min(BACKOFF_MS.first * 2 ** (attempt - 1), BACKOFF_MS.max))
      }
    }
  }

  /** Waits for the connections on loan, then closes all. */
  async end(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#pool.end()
  }
}
