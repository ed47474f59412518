/** /v1/gaps: what is missing, as rows instead of a silent average. */
import { GAP_KINDS, Gap } from '#schemas/http-operations.ts'
import { listOf } from '#schemas/http.ts'
import { instantFromMs } from '#services/core/instant.ts'
import { Problem } from '#services/problem.ts'
import { type KeyPart, LIST_PARAMETERS, formatCursor, parseCursor } from '#services/query/cursor.ts'
import { type FoundGap, GAP_SOURCES, type GapKind } from '#services/query/rows/gap-rows.ts'
import { integer, many, withDefault, word } from '#services/query/parameters.ts'
import { readJson } from '#services/query/reading.ts'
import { type Route, route } from '#services/query/route.ts'
import { TRAJECTORY_FILTERS } from '#services/query/rows/scored.ts'

const LIST = 'gaps'
/** The default of idle_ms. */
const HOUR_MS = 3_600_000

/** The cursor of this list names the kind, and holds the key inside the kind. */
function parseGapCursor(given: string | undefined): { kind: GapKind; after: readonly KeyPart[] } | undefined {
  const key = parseCursor(LIST, undefined, given)
  if (key === undefined) return undefined
  const wrong = new Problem('invalid_parameter', 'cursor is not one that this list gave', {
    hint: 'send next of the page before as it was given',
    details: { parameter: 'cursor' },
  })
  const kind = GAP_KINDS.find((known) => known === key[0])
  const after = key.slice(1)
  if (kind === undefined || after.length !== GAP_SOURCES[kind].keyLength) throw wrong
  return { kind, after }
}

const listRoute = route({
  path: '/v1/gaps',
  tag: 'Operations',
  summary: 'List what is missing',
  detail:
    'By kind: missing_steps (steps per trajectory are dense from 0), conflict (the same key came with other content; the first counts), unfinished (no finish, and no event for idle_ms), incomplete_group, missing_image (named, but the bytes never came), late (steps after the finish).',
  parameters: {
    ...LIST_PARAMETERS,
    run: TRAJECTORY_FILTERS.run,
    kind: many(word(GAP_KINDS, 'The kind of gap.')),
    idle_ms: withDefault(integer('After how long without an event a trajectory counts as unfinished.'), HOUR_MS),
  },
  answers: [{ status: 200, description: 'A page of gaps.', schema: listOf(Gap) }],
  handle: async (call) => {
    const { query } = call
    const from = parseGapCursor(query.cursor)
    const asked = { runs: query.run, idleBefore: instantFromMs(Math.max(0, call.deps.clock() - query.idle_ms)) }
    const kinds = GAP_KINDS.filter((kind) => query.kind.length === 0 || query.kind.includes(kind))
    return readJson(call, async (db) => {
      const found: (FoundGap & { kind: GapKind })[] = []
      for (const kind of kinds.slice(from === undefined ? 0 : kinds.indexOf(from.kind))) {
        const after = from?.kind === kind ? from.after : undefined
        const some = await GAP_SOURCES[kind].find(db, asked, after, query.limit + 1 - found.length)
        found.push(...some.map((gap) => ({ ...gap, kind })))
        if (found.length > query.limit) break
      }
      const shown = found.slice(0, query.limit)
      const last = shown.at(-1)
      const next =
        found.length > query.limit && last !== undefined ? formatCursor(LIST, [last.kind, ...last.key]) : null
      return { rows: shown.map(({ kind, row }) => ({ kind, ...row })), next }
    })
  },
})

export const GAP_ROUTES: readonly Route[] = [listRoute]
