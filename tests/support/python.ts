/** Python with packages of its own, for tests that need the clients of others. Made once, kept in a cache. */
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stack } from './stack.ts'

const run = promisify(execFile)

/** The interpreter of an environment with the packages of a requirements file. Needs `python3`; the first time, PyPI. */
export async function pythonWith(requirements: string): Promise<string> {
  const cache = stack?.kafka.cache ?? join(homedir(), '.cache', 'stepstore')
  const name = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16)
  const folder = join(cache, `python-${name}`)
  const python = join('bin', 'python')
  if (existsSync(folder)) return join(folder, python)
  await mkdir(cache, { recursive: true })
  const made = await mkdtemp(join(cache, 'python-making-'))
  try {
    await run('python3', ['-m', 'venv', made])
    await run(join(made, python), [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--requirement',
      requirements,
    ])
    // The interpreter finds its packages beside itself, wherever that is.
    await rename(made, folder)
  } catch (error) {
    await rm(made, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
  return join(folder, python)
}

export interface PythonOptions {
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>
  /** Ends it with an error after this many milliseconds. */
  readonly timeoutMs?: number
}

/** Runs a script with `input` on stdin and gives what it wrote to stdout. Throws with what it said where it fails. */
export async function runPython(
  python: string,
  args: readonly string[],
  input: string,
  { env = {}, timeoutMs }: PythonOptions = {},
): Promise<string> {
  const child = spawn(python, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs, killSignal: 'SIGKILL' as const }),
  })
  let wrote = ''
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (wrote += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const code = await new Promise<number | string | null>((resolve, reject) =>
    child.once('error', reject).once('close', (end, signal) => resolve(end ?? signal)),
  )
  if (code !== 0) throw new Error(`${args.slice(0, 2).join(' ')} ended with ${code}: ${said.slice(-2000)}`)
  return wrote
}
