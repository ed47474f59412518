/** Packages from npm that only slow tests need: installed beside the repository, in a cache, and not with it. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The folder in which the packages of a package.json are installed. The first time it needs a registry. */
export async function packagesOf(manifest: string): Promise<string> {
  const cache = join(homedir(), '.cache', 'stepstore')
  const folder = join(cache, `node-${createHash('sha256').update(readFileSync(manifest)).digest('hex').slice(0, 16)}`)
  if (existsSync(folder)) return folder
  await mkdir(cache, { recursive: true })
  const made = await mkdtemp(join(cache, 'node-making-'))
  try {
    copyFileSync(manifest, join(made, 'package.json'))
    await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock'], { cwd: made })
    await rename(made, folder)
  } catch (error) {
    await rm(made, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
  return folder
}
