/** Where a process makes files. Several processes may have one data folder; each makes its own, and sweeps up after the dead. */
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '#services/config.ts'
import { lockFolder } from '#services/folder-lock.ts'
import { Problem } from '#services/problem.ts'

export interface Scratch {
  readonly folder: string
  /** Removes it. */
  close(): Promise<void>
}

const PREFIX = 'process-'

/** Opens an empty folder. What processes that are gone were making is of no use to anybody, and is removed. */
export async function openScratch(config: Config, now: Date): Promise<Scratch> {
  const all = join(config.dataDir, 'scratch')
  if (!config.shared && config.log.kind === 'lmdb') {
    // The lock of the log says that nobody else is here.
    await rm(all, { recursive: true, force: true })
    await mkdir(all, { recursive: true })
    return { folder: all, close: async () => {} }
  }
  await mkdir(all, { recursive: true })
  for (const name of await readdir(all)) await sweep(join(all, name), now)
  const folder = await mkdtemp(join(all, PREFIX))
  const unlock = lockFolder(folder, now)
  return {
    folder,
    close: async () => {
      unlock()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A folder that is younger may be of a process that has not locked it yet. */
const SWEPT_AFTER_MS = 60_000

async function sweep(folder: string, now: Date): Promise<void> {
  const info = await stat(folder).catch(() => undefined)
  if (info === undefined || now.getTime() - info.mtimeMs < SWEPT_AFTER_MS) return
  try {
    lockFolder(folder, now)()
  } catch (error) {
    // Somebody lives there.
    if (error instanceof Problem && error.code === 'store_in_use') return
    // Another process sweeps here too.
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => {})
}
