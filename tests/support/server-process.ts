/** The real program as a process: `stepstore serve` on a data folder, started, killed and started again by fault tests. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { childrenOf, holdersOf, membersOf, until } from './processes.ts'

const LAUNCHER = join(import.meta.dirname, '..', '..', 'bin', 'stepstore.js')

/** Ports are handed out by the system, and the same one is used again after a kill. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

/** Where one server lives, over all of its lives. */
export interface World {
  readonly folder: string
  readonly dataDir: string
  readonly port: number
  readonly url: string
  readonly env: Readonly<Record<string, string>>
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A life of the server. */
export interface ServerProcess {
  /** The process group of everything that it started. */
  readonly group: number
  /** Resolves with the id of the main process, as soon as there is one. */
  main(): Promise<number>
  /** Resolves when it answers; rejects with what it said when it ends before. */
  ready(): Promise<void>
  /** How it ended. */
  readonly ended: Promise<Ended>
  /** Everything that it wrote to stderr so far. */
  said(): string
  /** SIGKILL to the main process, and nothing else. Resolves when it is gone. */
  sigkill(): Promise<Ended>
  /** SIGTERM, as a container runtime sends it. Resolves when it is gone. */
  sigterm(): Promise<Ended>
}

/** What a finished command said. */
export interface Said extends Ended {
  readonly stdout: string
  readonly stderr: string
}

const groups = new Map<number, World>()
const folders = new Set<string>()

/** A new folder for one test; `cleanUp` removes it. `env` adds to the environment of its processes. */
export async function newWorld(env: Readonly<Record<string, string>> = {}): Promise<World> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'stepstore-faults-')))
  folders.add(folder)
  mkdirSync(join(folder, 'tmp'))
  const port = await freePort()
  return { folder, dataDir: join(folder, 'data'), port, url: `http://127.0.0.1:${port}`, env }
}

/** A world whose data folder begins as a copy of another one's. Nothing may run there. */
export async function copyOf(world: World): Promise<World> {
  const copy = await newWorld(world.env)
  if (existsSync(world.dataDir)) cpSync(world.dataDir, copy.dataDir, { recursive: true })
  return copy
}

function environment(world: World): Record<string, string> {
  const own = Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && !/^(STEPSTORE_|PORT$|HOST$|DATA_DIR$)/.test(entry[0]),
    ),
  )
  return {
    ...own,
    DATA_DIR: world.dataDir,
    PORT: String(world.port),
    STEPSTORE_PUBLIC_URL: 'http://stepstore.test',
    TMPDIR: join(world.folder, 'tmp'),
    NO_COLOR: '1',
    ...world.env,
  }
}

function start(world: World, args: readonly string[]): { child: ChildProcess; group: number } {
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    env: environment(world),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  if (child.pid === undefined) throw new Error('the launcher did not start')
  groups.set(child.pid, world)
  return { child, group: child.pid }
}

function gathered(stream: NodeJS.ReadableStream | null): () => string {
  let text = ''
  stream?.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  return () => text
}

async function endOf(child: ChildProcess): Promise<Ended> {
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal }
}

/** Starts a server in its world. */
export function startServer(world: World, args: readonly string[] = []): ServerProcess {
  const { child, group } = start(world, ['serve', '--json', ...args])
  const out = gathered(child.stdout)
  const said = gathered(child.stderr)
  const ended = endOf(child)
  let pid: number | undefined
  const main = async (): Promise<number> =>
    (pid ??= await until('a main process', () => childrenOf(group)[0] ?? (child.exitCode === null ? undefined : -1)))
  const signal = async (name: 'SIGKILL' | 'SIGTERM'): Promise<Ended> => {
    const target = await main()
    if (target > 0) quietly(() => process.kill(target, name))
    return ended
  }
  return {
    group,
    main,
    ended,
    said,
    ready: async () => {
      const up = until('a server that is ready', () => (out().includes('\n') ? true : undefined), 60_000)
      const early = ended.then((how) => {
        if (!out().includes('\n')) throw new Error(`the server ended with ${how.code ?? how.signal}: ${said()}`)
      })
      await Promise.race([up, early])
    },
    sigkill: () => signal('SIGKILL'),
    sigterm: () => signal('SIGTERM'),
  }
}

/** Runs a command of the program to its end. */
export async function runCommand(world: World, args: readonly string[]): Promise<Said> {
  const { child } = start(world, args)
  const stdout = gathered(child.stdout)
  const stderr = gathered(child.stderr)
  const how = await endOf(child)
  return { ...how, stdout: stdout(), stderr: stderr() }
}

/** Waits until nothing of a life of the server runs any more, and nobody holds a file of its data folder. */
export async function nothingLeft(world: World, group: number): Promise<void> {
  await until(`processes of the killed server end; left: ${membersOf(group).join(' ')}`, () =>
    membersOf(group).length === 0 ? true : undefined,
  )
  const holders = holdersOf(world.dataDir)
  if (holders.length > 0) throw new Error(`processes ${holders.join(' ')} hold files of ${world.dataDir}`)
}

function quietly(act: () => void): void {
  try {
    act()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** For afterEach: ends everything that was started and removes every folder, whatever became of the test; all but `kept`. */
export async function cleanUp(...kept: readonly World[]): Promise<void> {
  for (const [group, { folder }] of groups) {
    if (kept.some((world) => world.folder === folder)) continue
    groups.delete(group)
    if (membersOf(group).length === 0) continue
    quietly(() => process.kill(-group, 'SIGKILL'))
    await until('a killed group to end', () => (membersOf(group).length === 0 ? true : undefined)).catch(
      () => undefined,
    )
  }
  for (const folder of folders) {
    if (kept.some((world) => world.folder === folder)) continue
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    folders.delete(folder)
  }
}
