/** What a disk says when it can take no more, in the words of a problem. */
import { Problem } from '#services/problem.ts'

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EMFILE', 'ENFILE'])

/** The code of a failure of the system, such as ENOENT; empty where it has none. */
export const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

/** A failure of the disk as `unavailable`, with the folder that cannot be written; anything else as it is. */
export function diskProblem(error: unknown, folder: string): unknown {
  if (!FULL.has(codeOf(error))) return error
  return new Problem('unavailable', `${folder} cannot be written (${codeOf(error)})`, {
    hint: 'free some space on its disk, then send the same again',
    retryAfterSeconds: 5,
    cause: error,
  })
}
