/** Bodies: records of the log by place; from the lake's table of events where the log no longer holds them. */
import { type ReadEvent, type Unreadable, readAgain, readEvent } from '#services/core/event-reader.ts'
import { instantFromMs } from '#services/core/instant.ts'
import { Problem } from '#services/problem.ts'
import type { QueryDeps } from '#services/query/deps.ts'

/** A place in the log. */
export interface Place {
  readonly partition: number
  readonly offset: number
}

/** A record with what it says. */
export interface Body extends Place {
  readonly appended_at: string
  readonly headers: Readonly<Record<string, string>>
  readonly value: Uint8Array
  readonly event: ReadEvent | Unreadable
}

type Found = Place & {
  readonly appendedAtMs: number
  readonly headers: Readonly<Record<string, string>>
  readonly value: Uint8Array | null
}

function body({ partition, offset, appendedAtMs, headers, value }: Found): Body {
  return {
    partition,
    offset,
    appended_at: instantFromMs(appendedAtMs),
    headers,
    value: value ?? new Uint8Array(),
    event: readEvent(value, headers),
  }
}

/** The bodies at these places, in their order; undefined for those that neither log nor lake gives. */
export async function bodies(deps: QueryDeps, places: readonly Place[]): Promise<(Body | undefined)[]> {
  const found: (Body | undefined)[] = []
  const absent: number[] = []
  for (const [index, { partition, offset }] of places.entries()) {
    const record = await deps.log.readOne(partition, offset)
    if (record === undefined) absent.push(index)
    found.push(record === undefined ? undefined : body(record))
  }
  if (absent.length === 0 || deps.lakeRecords === undefined) return found
  const wanted = absent.flatMap((index) => places[index] ?? [])
  const fromLake = new Map(
    (await deps.lakeRecords(wanted)).map((record) => [`${record.partition}:${record.offset}`, body(record)]),
  )
  for (const index of absent) {
    const place = places[index]
    if (place !== undefined) found[index] = fromLake.get(`${place.partition}:${place.offset}`)
  }
  return found
}

/**
 * The events at these places, which were judged to be events, in the order of the places. Throws `corrupt` where one is
 * neither in the log nor in the lake.
 */
export async function eventsAt(deps: QueryDeps, places: readonly Place[]): Promise<ReadEvent[]> {
  const found: (ReadEvent | undefined)[] = []
  const absent: number[] = []
  for (const [index, { partition, offset }] of places.entries()) {
    const record = await deps.log.readOne(partition, offset)
    if (record === undefined) absent.push(index)
    found.push(record === undefined ? undefined : readAgain(record.value ?? new Uint8Array(), record.headers))
  }
  const wanted = absent.flatMap((index) => places[index] ?? [])
  const kept = wanted.length === 0 ? [] : ((await deps.lakeRecords?.(wanted)) ?? [])
  const fromLake = new Map(kept.map((record) => [`${record.partition}:${record.offset}`, record]))
  return places.map(({ partition, offset }, index) => {
    const record = fromLake.get(`${partition}:${offset}`)
    const event = found[index] ?? (record === undefined ? undefined : readAgain(record.value, record.headers))
    if (event !== undefined) return event
    throw new Problem('corrupt', `neither log nor lake holds the record ${offset} of partition ${partition}`, {
      hint: 'npx stepstore verify says what else is lost',
    })
  })
}

/** What the event at a place says; null where there is none. */
export async function dataAt(
  deps: QueryDeps,
  partition: number,
  offset: number | null,
): Promise<Record<string, unknown> | null> {
  if (offset === null) return null
  const [found] = await bodies(deps, [{ partition, offset }])
  return found?.event.readable === true ? found.event.data : null
}
