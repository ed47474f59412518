/** A small disk of its own for a test that fills it. */
import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { hasProc } from './processes.ts'

const mounted: string[] = []

/** A small disk of its own at `folder`. False where this user may not mount one. */
export function mount(folder: string, mebibytes: number): boolean {
  mkdirSync(folder, { recursive: true })
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder])
  if (status === 0) mounted.push(folder)
  return status === 0
}

/** Unmounted at once, gone when the last process that is in it has ended. */
export function unmountAll(): void {
  for (const folder of mounted.splice(0)) spawnSync('umount', ['-l', folder])
}

/** Whether this user may mount one. */
export const canMount = ((): boolean => {
  if (!hasProc || process.getuid?.() !== 0) return false
  const folder = join(process.cwd(), 'node_modules', '.cache', `mount-${process.pid}`)
  const can = mount(folder, 1)
  unmountAll()
  rmSync(folder, { recursive: true, force: true })
  return can
})()

/** Takes all the space that is left. Returns the way to give it back. */
export function fillDisk(folder: string): () => void {
  const path = join(folder, 'ballast')
  const file = openSync(path, 'w')
  for (const bytes of [1024 * 1024, 4096]) {
    const zeros = Buffer.alloc(bytes)
    try {
      for (;;) if (writeSync(file, zeros) < bytes) break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }
  closeSync(file)
  return () => rmSync(path)
}
