/** Python with packages of its own, for tests that need the clients of others. Made once, kept in the cache of the stack. */
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stack } from './stack.ts'

const run = promisify(execFile)

/** The interpreter of an environment with the packages of a requirements file. */
export async function pythonWith(requirements: string): Promise<string> {
  if (stack === undefined) throw new Error('a stack tells where downloads are kept')
  const { cache } = stack.kafka
  const name = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16)
  const folder = join(cache, `python-${name}`)
  const python = join('bin', 'python')
  if (existsSync(folder)) return join(folder, python)
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

/** Runs a script with `input` on stdin. Throws with what it said where it fails. */
export async function runPython(python: string, args: readonly string[], input: string): Promise<void> {
  const child = spawn(python, args, { stdio: ['pipe', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) throw new Error(`${args.slice(0, 2).join(' ')} ended with ${code}: ${said.slice(-2000)}`)
}
