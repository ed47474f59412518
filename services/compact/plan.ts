/**
 * Which files of the lake are worth merging. Pure: files in, merges out.
 *
 * A file knows the offsets between which its rows entered, and for one table and day no two files overlap in them: that is
 * how a row that changes is found again. So only neighbours are merged, and a merge makes one file.
 */
import { LAKE_TABLES, type LakeTableName } from '#schemas/lake.ts'
import { type Offsets, parseOffsets } from '#services/position.ts'

/** How large files shall be, and when it is worth the work. Bytes as stored. */
export interface Sizes {
  /** Files are merged up to this size. */
  readonly bytesMax: number
  /** A file of this size is large enough. */
  readonly bytesMin: number
  /** So many neighbours of about one size are merged while the day goes on. */
  readonly filesMin: number
  /** After this long without anything new in a table's day, its neighbours are merged however few they are. Milliseconds. */
  readonly coldMs: number
}

const MIB = 1024 * 1024
/** See WHY.md for where they come from. */
export const SIZES: Sizes = { bytesMax: 256 * MIB, bytesMin: 64 * MIB, filesMin: 12, coldMs: 3_600_000 }

/** A file of the newest snapshot. */
export interface Candidate {
  readonly path: string
  readonly table_name: string
  readonly dt: string
  readonly bytes: number
  readonly rows: number
  readonly from_offsets: string
  readonly to_offsets: string
  /** When its first snapshot was made, in milliseconds since 1970. */
  readonly begun_ms: number
}

/** Files that become one, in the order of the log. */
export interface Merge {
  readonly table: LakeTableName
  readonly dt: string
  readonly files: readonly Candidate[]
  readonly from: Offsets
  readonly to: Offsets
  readonly bytes: number
  /** Whether the file is not expected to be merged again: then it is packed well. */
  readonly isFinal: boolean
}

/** A file whose rows may change is written whole again for one of them, so it stays this much smaller. */
const CHANGING_SHARE = 8
/** Sizes up to here count as equal; from here on each factor of four is another size. */
const SMALL_BYTES = 1024
/** No file is written again for less than this many times its own bytes. */
const GROWTH_MIN = 2.5

const sizeClass = (bytes: number): number => Math.max(0, Math.ceil(Math.log(bytes / SMALL_BYTES) / Math.log(4)))
const sumOf = (offsets: Offsets): number => [...offsets.values()].reduce((sum, offset) => sum + offset, 0)
const startOf = (file: Candidate): number => sumOf(parseOffsets(file.from_offsets))

const bytesOf = (files: readonly Candidate[]): number => files.reduce((sum, file) => sum + file.bytes, 0)

const isLakeTable = (name: string): name is LakeTableName => Object.hasOwn(LAKE_TABLES, name)

/** The sizes that a table is held to. */
export function sizesOf(table: LakeTableName, sizes: Sizes): Sizes {
  if (!LAKE_TABLES[table].changes) return sizes
  return { ...sizes, bytesMax: sizes.bytesMax / CHANGING_SHARE, bytesMin: sizes.bytesMin / CHANGING_SHARE }
}

/** Packs neighbours into groups of at most `bytesMax`; groups of one are left out. */
function packed(files: readonly Candidate[], bytesMax: number): Candidate[][] {
  const groups: Candidate[][] = []
  let group: Candidate[] = []
  let bytes = 0
  for (const file of files) {
    if (group.length > 0 && bytes + file.bytes > bytesMax) {
      groups.push(group)
      group = []
      bytes = 0
    }
    group.push(file)
    bytes += file.bytes
  }
  groups.push(group)
  return groups.filter(({ length }) => length > 1)
}

/** Runs of neighbours that pass a test. */
function runsOf(files: readonly Candidate[], passes: (file: Candidate) => boolean): Candidate[][] {
  const runs: Candidate[][] = [[]]
  for (const file of files) {
    if (passes(file)) runs.at(-1)?.push(file)
    else if (runs.at(-1)?.length !== 0) runs.push([])
  }
  return runs
}

/** The groups to merge among the files of one table and day, which come in the order of the log. */
function groupsOf(files: readonly Candidate[], sizes: Sizes, nowMs: number, isChanging: boolean): Candidate[][] {
  const small = (file: Candidate): boolean => file.bytes < sizes.bytesMin
  const isCold = (file: Candidate): boolean => nowMs - file.begun_ms >= sizes.coldMs
  if (files.every(isCold)) return runsOf(files, small).flatMap((run) => packed(run, sizes.bytesMax))
  const groups: Candidate[][] = []
  const taken = new Set<Candidate>()
  for (let most = 0; most <= sizeClass(sizes.bytesMin); most++) {
    // Of a table whose rows change, what was written just now is likely to be written again.
    const alike = (file: Candidate): boolean =>
      small(file) && !taken.has(file) && sizeClass(file.bytes) <= most && (!isChanging || isCold(file))
    for (const run of runsOf(files, alike)) {
      if (run.length < sizes.filesMin) continue
      for (const group of packed(run, sizes.bytesMax)) {
        const largest = Math.max(...group.map(({ bytes }) => bytes))
        if (bytesOf(group) < largest * GROWTH_MIN) continue
        groups.push(group)
        for (const file of group) taken.add(file)
      }
    }
  }
  return groups
}

/** The merges that are worth doing now, those of the smallest files first. With `everything`, all files count as cold. */
export function planMerges(
  files: readonly Candidate[],
  sizes: Sizes,
  nowMs: number,
  { everything = false }: { readonly everything?: boolean } = {},
): Merge[] {
  const days = new Map<string, Candidate[]>()
  for (const file of files) {
    const day = `${file.table_name} ${file.dt}`
    days.set(day, [...(days.get(day) ?? []), file])
  }
  const merges: Merge[] = []
  for (const day of days.values()) {
    const { table_name: table = '', dt = '' } = day[0] ?? {}
    if (!isLakeTable(table)) continue
    const held = sizesOf(table, everything ? { ...sizes, coldMs: -Infinity } : sizes)
    const inOrder = day.toSorted((left, right) => startOf(left) - startOf(right))
    for (const group of groupsOf(inOrder, held, nowMs, LAKE_TABLES[table].changes)) {
      const bytes = bytesOf(group)
      const isQuiet = inOrder.every((file) => nowMs - file.begun_ms >= held.coldMs)
      merges.push({
        table,
        dt,
        files: group,
        from: parseOffsets(group[0]?.from_offsets ?? ''),
        to: parseOffsets(group.at(-1)?.to_offsets ?? ''),
        bytes,
        isFinal: isQuiet || bytes >= held.bytesMin,
      })
    }
  }
  return merges.sort((left, right) => left.bytes - right.bytes)
}
