/** Starts what is measured, in processes and folders of its own, and looks at how much memory they hold. */
import { execFile, fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { FromSender, SendOrder, Sent } from './sender.ts'

const fileOf = (name: string): string => fileURLToPath(import.meta.resolve(name))

/** A folder that is gone when `work` ends, however it ends. */
export async function withFolder<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'stepstore-bench-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  try {
    return await work(folder)
  } finally {
    process.off('exit', remove)
    remove()
  }
}

export interface Running {
  readonly port: number
  readonly pid: number
  stop(): Promise<void>
}

export type ServerKind = 'stepstore' | 'ingest' | 'bare'

function argumentsOf(kind: ServerKind, folder: string): string[] {
  if (kind === 'stepstore') return [fileOf('#services/cli/main.ts'), 'serve', '--json']
  return kind === 'ingest'
    ? [fileOf('#tests/support/ingest-server.ts'), folder]
    : [fileOf('./bare-server.ts'), join(folder, 'bare')]
}

/** Starts a server on a folder and resolves when it takes events. */
export async function startServer(kind: ServerKind, folder: string): Promise<Running> {
  const child = spawn(process.execPath, [...argumentsOf(kind, folder)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, DATA_DIR: join(folder, 'data'), PORT: '0' },
  })
  const lines = createInterface({ input: child.stdout })
  const failed = once(child, 'exit').then(([code]) =>
    Promise.reject(new Error(`the ${kind} server ended with ${String(code)}`)),
  )
  failed.catch(() => {})
  const [line] = (await Promise.race([once(lines, 'line'), failed])) as [string]
  const port = kind === 'stepstore' ? (JSON.parse(line) as { port: number }).port : Number(line)
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  const stop = async (): Promise<void> => {
    process.off('exit', kill)
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
  return { port, pid: child.pid ?? 0, stop }
}

/** Runs `work` with a fresh server. */
export async function withServer<Result>(
  kind: ServerKind,
  work: (server: Running) => Promise<Result>,
): Promise<Result> {
  return withFolder(async (folder) => {
    const server = await startServer(kind, folder)
    try {
      return await work(server)
    } finally {
      await server.stop()
    }
  })
}

/** Sends a file. Where the order holds, `onHeld` is called at each hold with the events acknowledged; its promise lets it go on. */
export async function send(
  order: SendOrder,
  onHeld: (events: number) => Promise<void> = async () => {},
): Promise<Sent> {
  const child: ChildProcess = fork(fileOf('./sender.ts'), [], { serialization: 'advanced' })
  const sent = Promise.withResolvers<Sent>()
  child.on('message', (message: FromSender) => {
    if (message.is === 'sent') sent.resolve(message.sent)
    else void onHeld(message.events).then(() => child.connected && child.send('go'), sent.reject)
  })
  // Its last message may come after its end.
  child.on('exit', (code) => setTimeout(() => sent.reject(new Error(`the sender ended with ${String(code)}`)), 500))
  child.send(order)
  return sent.promise
}

/** How fast one thread parses a file: events a second, and processor µs an event. */
export async function baseline(file: string): Promise<{ readonly rate: number; readonly cpu: number }> {
  const { stdout } = await promisify(execFile)(process.execPath, [fileOf('./baseline.ts'), file])
  const [rate = Number.NaN, cpu = Number.NaN] = stdout.trim().split(' ').map(Number)
  return { rate, cpu }
}

/** A process and all that it started. */
export function descendants(pid: number): number[] {
  try {
    // A child belongs to the thread that started it.
    const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
    return [pid, ...children.flatMap(descendants)]
  } catch {
    return []
  }
}

function memoryOf(pid: number): { all: number; own: number } {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const field = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1024
    return { all: field('VmRSS'), own: field('RssAnon') + field('RssShmem') }
  } catch {
    return { all: 0, own: 0 }
  }
}

/** The most memory of a process and its descendants together, sampled. `all` counts mapped files in each process that maps them. */
export function watchMemory(pid: number): { stop(): { all: number; own: number } } {
  const most = { all: 0, own: 0 }
  const timer = setInterval(() => {
    const now = descendants(pid).map(memoryOf)
    most.all = Math.max(
      most.all,
      now.reduce((sum, { all }) => sum + all, 0),
    )
    most.own = Math.max(
      most.own,
      now.reduce((sum, { own }) => sum + own, 0),
    )
  }, 250)
  return {
    stop: () => {
      clearInterval(timer)
      return most
    },
  }
}

/** Processor seconds that a process and its descendants have used. A child that has ended is counted with its parent. */
export function cpuSeconds(pid: number): number {
  return descendants(pid).reduce((sum, each) => {
    try {
      const fields = readFileSync(`/proc/${each}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
      return sum + [11, 12, 13, 14].reduce((ticks, field) => ticks + Number(fields[field]), 0) / 100
    } catch {
      return sum
    }
  }, 0)
}
