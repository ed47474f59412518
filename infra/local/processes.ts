/** Processes that outlive the command that started them: each has a folder with its log and a note of its pid. */
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Launch {
  /** Where its log and pid go; its working folder. */
  readonly folder: string
  readonly program: string
  readonly args: readonly string[]
  /** All of its environment; without it, ours. */
  readonly env?: Readonly<Record<string, string>>
  /** Whom it runs as, where that is not us. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
}

const pidFile = (folder: string): string => join(folder, 'pid')
/** What a process wrote since it was started last. */
export const logFile = (folder: string): string => join(folder, 'log')

/** When a process started, in the words of the system: with it a pid that is in use again deceives nobody. Undefined where it is gone. */
function startOf(pid: number): string | undefined {
  if (existsSync('/proc/self/stat')) {
    try {
      // The name may hold spaces and brackets; after its last bracket come the state and, 19 fields on, the start.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
      return fields[0] === 'Z' ? undefined : fields[19]
    } catch {
      return undefined
    }
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
}

/** The pid of what was started in `folder`, or undefined where it does not run. */
export function running(folder: string): number | undefined {
  if (!existsSync(pidFile(folder))) return undefined
  const [pid, start] = readFileSync(pidFile(folder), 'utf8').split('\n')
  return startOf(Number(pid)) === start ? Number(pid) : undefined
}

/** Starts a process in the background, in a group of its own, so that Ctrl-C in this terminal does not end it. */
export async function launch({ folder, program, args, env, user }: Launch): Promise<void> {
  const log = openSync(logFile(folder), 'w')
  try {
    const child = spawn(program, args, {
      cwd: folder,
      detached: true,
      stdio: ['ignore', log, log],
      ...user,
      ...(env === undefined ? {} : { env }),
    })
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    writeFileSync(pidFile(folder), `${child.pid}\n${startOf(child.pid ?? 0)}`)
    child.unref()
  } finally {
    closeSync(log)
  }
}

/** Sends a signal to what runs in `folder`. */
export function signal(folder: string, name: NodeJS.Signals): void {
  const pid = running(folder)
  if (pid !== undefined) process.kill(pid, name)
}

/** How long a process may take to end by itself. */
const END_MS_MAX = 30_000

/** Ends what runs in `folder` and waits until it is gone; what does not heed the signal is killed. */
export async function end(folder: string, name: NodeJS.Signals): Promise<void> {
  // A stopped process would not see the signal.
  signal(folder, 'SIGCONT')
  signal(folder, name)
  const deadline = Date.now() + END_MS_MAX
  while (running(folder) !== undefined) {
    if (Date.now() > deadline) signal(folder, 'SIGKILL')
    await sleep(20)
  }
}

/** How long a part may take to be ready, on a machine that is busy. */
const READY_MS_MAX = 120_000

/** Waits until `ready` answers true. Throws with the end of the log where the process ends or takes too long. */
export async function untilReady(folder: string, ready: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_MS_MAX
  while (!(await ready())) {
    const alive = running(folder) !== undefined
    if (!alive || Date.now() > deadline) {
      const tail = readFileSync(logFile(folder), 'utf8').trimEnd().split('\n').slice(-15).join('\n')
      throw new Error(
        `${folder}: ${alive ? `not ready after ${READY_MS_MAX / 1000} s` : 'it ended'}; the end of its log:\n${tail}`,
      )
    }
    await sleep(50)
  }
}

/** Free ports of the loopback address, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  try {
    return await Promise.all(
      servers.map(async (server) => {
        await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
        const address = server.address()
        if (address === null || typeof address === 'string') throw new Error('the system gave no port')
        return address.port
      }),
    )
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }
}

/** Runs a program to its end. Throws with what it said. */
export async function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly user?: { readonly uid: number; readonly gid: number } | undefined } = {},
): Promise<void> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...options.user,
  })
  let said = ''
  const hear = (chunk: Buffer): void => {
    said = (said + chunk.toString()).slice(-4_000)
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) throw new Error(`${program} ${args.slice(0, 2).join(' ')} ended with ${code}:\n${said}`)
}
