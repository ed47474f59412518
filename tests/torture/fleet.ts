/** The programs of a deployment, each a process of its own on one stack, started again whenever they end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Program } from '#services/config.ts'
import { childrenOf, membersOf } from '#tests/support/processes.ts'
import { freePort } from '#tests/support/server-process.ts'

const LAUNCHER = join(import.meta.dirname, '..', '..', 'bin', 'stepstore.js')
/** A program that keeps failing at its start is not tried again at once. */
const RESTART_MS = 300

export interface FleetOptions {
  readonly folder: string
  /** LOG_URL, STORE_URL and the like. */
  readonly env: Readonly<Record<string, string>>
  /** How many of each. */
  readonly programs: Readonly<Partial<Record<Program, number>>>
}

/** A program over all of its lives. */
export class Member {
  readonly program: Program
  readonly name: string
  readonly url: string
  readonly logFile: string
  /** Lives that ended without being told to. */
  crashes = 0
  readonly #env: Record<string, string>
  #child: ChildProcess | undefined
  #main: number | undefined
  #isWanted = true
  #isDoomed = false
  #running: Promise<void> = Promise.resolve()

  constructor(program: Program, name: string, port: number, { folder, env }: FleetOptions) {
    this.program = program
    this.name = name
    this.url = `http://127.0.0.1:${port}`
    this.logFile = join(folder, `${name}.log`)
    this.#env = { ...env, PORT: String(port), DATA_DIR: join(folder, name), PROGRAMS: program, NO_COLOR: '1' }
  }

  start(): void {
    this.#running = this.#live()
  }

  async #live(): Promise<void> {
    while (this.#isWanted) {
      this.#isDoomed = false
      const child = spawn(process.execPath, [LAUNCHER, 'serve', '--json'], {
        env: { ...plainEnvironment(), ...this.#env },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      })
      this.#child = child
      this.#main = undefined
      for (const stream of [child.stdout, child.stderr])
        stream?.on('data', (bytes: Buffer) => appendFileSync(this.logFile, bytes))
      const [code] = (await once(child, 'close')) as [number | null]
      appendFileSync(this.logFile, `-- ended with ${code}\n`)
      if (this.#isWanted && !this.#isDoomed) this.crashes += 1
      if (this.#isWanted) await sleep(RESTART_MS)
    }
  }

  /** The process that does the work, below the launcher. */
  #pid(): number | undefined {
    const launcher = this.#child?.exitCode === null ? this.#child.pid : undefined
    this.#main ??= launcher === undefined ? undefined : childrenOf(launcher)[0]
    return this.#main
  }

  /** SIGKILL. False where there was nothing to kill. */
  kill(): boolean {
    const pid = this.#pid()
    if (pid === undefined) return false
    this.#isDoomed = true
    return sent(pid, 'SIGKILL')
  }

  /** SIGSTOP for a while, to the process and to those that it started, as when a machine hangs. */
  async freeze(ms: number): Promise<boolean> {
    const pid = this.#pid()
    const group = this.#child?.pid
    if (pid === undefined || group === undefined) return false
    const members = membersOf(group).filter((member) => member !== group)
    for (const member of members) sent(member, 'SIGSTOP')
    await sleep(ms)
    for (const member of members) sent(member, 'SIGCONT')
    return members.length > 0
  }

  /** SIGTERM, and no further life. Resolves with how long it took, in milliseconds. */
  async end(): Promise<number> {
    this.#isWanted = false
    const began = performance.now()
    const pid = this.#pid()
    if (pid !== undefined) sent(pid, 'SIGTERM')
    await this.#running
    return performance.now() - began
  }

  /** Ends it and everything that it started, at once. */
  async destroy(): Promise<void> {
    this.#isWanted = false
    const group = this.#child?.pid
    if (group !== undefined) sent(-group, 'SIGKILL')
    await this.#running
  }
}

/** Starts the programs. */
export async function startFleet(options: FleetOptions): Promise<Member[]> {
  const members: Member[] = []
  for (const [program, count = 0] of Object.entries(options.programs) as [Program, number][]) {
    for (let nth = 1; nth <= count; nth++) {
      const name = `${program}-${nth}`
      mkdirSync(join(options.folder, name), { recursive: true })
      members.push(new Member(program, name, await freePort(), options))
    }
  }
  for (const member of members) member.start()
  return members
}

/** Waits until a program says that it is ready. Throws with what it says otherwise. */
export async function untilReady(member: Member, ms = 120_000): Promise<void> {
  const deadline = Date.now() + ms
  for (let said = 'nothing'; ; await sleep(200)) {
    try {
      const answer = await fetch(`${member.url}/readyz`, { signal: AbortSignal.timeout(8_000) })
      said = await answer.text()
      if (answer.status === 200) return
    } catch (error) {
      said = String(error)
    }
    if (Date.now() > deadline) throw new Error(`${member.name} is not ready after ${ms / 1000} s: ${said}`)
  }
}

function plainEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && !/^(STEPSTORE_|PORT$|HOST$|DATA_DIR$|PROGRAMS$)/.test(entry[0]),
    ),
  )
}

function sent(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch {
    return false
  }
}
