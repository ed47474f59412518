/**
 * Holds a process that folds back when archive is too far behind it: a cut takes all that is folded, so what is folded
 * and not cut must stay small enough for one. Archive may be another process; its cursor in the store says how far it is.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { CURSOR_OF } from '#schemas/tables.ts'
import { wantCut } from '#services/lake/wants.ts'
import type { Offsets } from '#services/position.ts'
import type { Store } from '#services/store/store.ts'

export interface GateOptions {
  readonly store: Store
  /** How many raw bytes may be folded here and not be cut. */
  readonly bytesMax: number
}

export interface Gate {
  /** Raw bytes that were folded here and are not cut, as far as is known. */
  readonly bytes: number
  /** What a commit took in: the offsets are those of this process. */
  note(offsets: Offsets, bytes: number): void
  /** Resolves when the next batch may be folded. */
  open(): Promise<void>
  close(): void
}

const LOOK_MS = 100

/** Makes a gate, open at first. */
export function archiveGate({ store, bytesMax }: GateOptions): Gate {
  const stopping = new AbortController()
  const last = new Map<number, number>()
  let kept: { readonly partition: number; readonly next: number; readonly bytes: number }[] = []
  let bytes = 0

  const look = async (): Promise<void> => {
    const rows = await store.db
      .selectFrom('cursors')
      .select(['partition', 'next_offset'])
      .where('projection', '=', CURSOR_OF.archive)
      .execute()
    const cut = new Map(rows.map((row) => [row.partition, row.next_offset]))
    kept = kept.filter(({ partition, next }) => next > (cut.get(partition) ?? 0))
    bytes = kept.reduce((sum, one) => sum + one.bytes, 0)
  }

  return {
    get bytes() {
      return bytes
    },
    note: (offsets, taken) => {
      for (const [partition, next] of offsets) {
        if (last.get(partition) === next) continue
        last.set(partition, next)
        if (taken === 0) continue
        kept.push({ partition, next, bytes: taken })
        bytes += taken
        return
      }
    },
    open: async () => {
      if (bytes < bytesMax) return
      await look()
      while (bytes >= bytesMax && !stopping.signal.aborted) {
        await wantCut(store.db, last)
        await sleep(LOOK_MS, undefined, { signal: stopping.signal }).catch(() => {})
        await look()
      }
    },
    close: () => stopping.abort(),
  }
}
