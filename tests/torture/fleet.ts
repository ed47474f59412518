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

/** One life of a program. */
interface Life {
  readonly child: ChildProcess
  /** The process that does the work, below the launcher, once it is known. */
  main?: number | undefined
  /** The last signal that it was sent to end it. */
  told?: 'SIGKILL' | 'SIGTERM'
}

/** How a life ended that was told to. */
export interface Drained {
  readonly name: string
  readonly ms: number
  readonly code: number | null
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
  #life: Life | undefined
  #isWanted = true
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
      const child = spawn(process.execPath, [LAUNCHER, 'serve', '--json'], {
        env: { ...plainEnvironment(), ...this.#env },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      })
      const life: Life = { child }
      this.#life = life
      for (const stream of [child.stdout, child.stderr])
        stream?.on('data', (bytes: Buffer) => appendFileSync(this.logFile, bytes))
      const [code] = (await once(child, 'close')) as [number | null]
      appendFileSync(this.logFile, `-- ended with ${code}\n`)
      if (this.#isWanted && life.told === undefined) this.crashes += 1
      if (this.#isWanted) await sleep(RESTART_MS)
    }
  }

  /** The life under way and the process that does its work; undefined between two lives. */
  #living(): { life: Life; pid: number } | undefined {
    const life = this.#life
    if (life?.child.pid === undefined || life.child.exitCode !== null) return undefined
    const pid = (life.main ??= childrenOf(life.child.pid)[0])
    return pid === undefined ? undefined : { life, pid }
  }

  /** SIGKILL. False where there was nothing to kill. */
  kill(): boolean {
    const living = this.#living()
    if (living === undefined) return false
    living.life.told = 'SIGKILL'
    return sent(living.pid, 'SIGKILL')
  }

  /**
   * SIGTERM in the middle of its work, as when it is replaced; its next life begins by itself. Undefined where it does not
   * answer yet (a process hears no signal before it is loaded) or was killed before it had ended.
   */
  async drain(): Promise<Drained | undefined> {
    const living = this.#living()
    if (living === undefined || !(await this.#answers())) return undefined
    const { life, pid } = living
    if (life.told !== undefined || life.child.exitCode !== null) return undefined
    life.told = 'SIGTERM'
    const ended = once(life.child, 'close') as Promise<[number | null]>
    const began = performance.now()
    sent(pid, 'SIGTERM')
    const [code] = await ended
    // Whoever kills writes it down first.
    const isKilled = (life.told as Life['told']) === 'SIGKILL'
    return isKilled ? undefined : { name: this.name, ms: performance.now() - began, code }
  }

  #answers(): Promise<boolean> {
    return fetch(`${this.url}/healthz`, { signal: AbortSignal.timeout(2_000) }).then(
      async (answer) => (await answer.text()) !== '',
      () => false,
    )
  }

  /** SIGSTOP for a while, to the process and to those that it started, as when a machine hangs. */
  async freeze(ms: number): Promise<boolean> {
    const group = this.#living()?.life.child.pid
    if (group === undefined) return false
    const members = membersOf(group).filter((member) => member !== group)
    for (const member of members) sent(member, 'SIGSTOP')
    await sleep(ms)
    for (const member of members) sent(member, 'SIGCONT')
    return members.length > 0
  }

  /** SIGTERM, and no further life. */
  async end(): Promise<Drained> {
    this.#isWanted = false
    const began = performance.now()
    const living = this.#living()
    if (living !== undefined) sent(living.pid, 'SIGTERM')
    await this.#running
    return { name: this.name, ms: performance.now() - began, code: living?.life.child.exitCode ?? null }
  }

  /** Ends it and everything that it started, at once. */
  async destroy(): Promise<void> {
    this.#isWanted = false
    const group = this.#life?.child.pid
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
