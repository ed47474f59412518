/**
 * Consumers of completed groups. What was given and what was acknowledged are facts of the log: of two that ask at once
 * the log takes one, and a server that dies in between finds in it what it had promised.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Row } from '#schemas/tables.ts'
import type { GroupName } from '#services/core/fold/consumer.ts'
import { instantFromMs } from '#services/core/instant.ts'
import { type OwnType, ownEvent } from '#services/core/own-event.ts'
import type { EventData, EventType } from '#schemas/events.ts'
import { formatOffsets, type Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import type { QueryDeps } from './deps.ts'
import { cursorsOf } from './reading.ts'
import { consumerRow, findGroups, type Found, type Wish } from './rows/consumer-rows.ts'
import { type JoinedGroup, loadGroups } from './rows/group-rows.ts'

/** What a consumer is given. `lease` is undefined where there was nothing in time. */
export interface Given {
  readonly lease: string | undefined
  readonly groups: readonly JoinedGroup[]
  readonly skipped: number
  readonly offsets: Offsets
}

/** How often it is looked for new groups while somebody waits: a group takes minutes to sample. */
const LOOK_MS = 250
/** How long an append may take to be folded. */
const FOLD_WAIT_MS = 30_000

const leaseName = (consumer: string, number: number): string => `${consumer}:${number}`

async function logEnd({ log }: QueryDeps): Promise<Offsets> {
  return new Map((await log.bounds()).map(({ end }, partition) => [partition, end]))
}

/** Appends a fact about a consumer and waits until the store includes it. Throws `behind`. */
async function tell<Type extends OwnType & EventType>(
  deps: QueryDeps,
  type: Type,
  data: EventData<Type> & { readonly consumer: string; readonly lease_number: number },
  signal: AbortSignal,
): Promise<void> {
  const { consumer, lease_number: number } = data
  const event = ownEvent(type, data, {
    id: `${type}:${consumer}:${number}`,
    source: 'urn:stepstore:query',
    time: instantFromMs(deps.clock()),
  })
  const appended = await deps.log.append([event])
  if (await deps.project.waitFor(appended, FOLD_WAIT_MS, signal)) return
  throw new Problem('behind', 'the lease is in the log and not yet in the store', {
    hint: 'ask again: the same lease is given',
    retryAfterSeconds: 1,
  })
}

interface Looked {
  readonly row: Row<'consumers'> | undefined
  readonly found: Found | undefined
  readonly offsets: Offsets
}

/** The consumer as it stands, and where it has no open lease the groups that it can be given. */
function look({ store }: QueryDeps, wish: Wish, filter: string, position: string): Promise<Looked> {
  return store.transaction(async ({ db }) => {
    const row = await consumerRow(db, wish.consumer)
    if (row !== undefined && row.filter !== filter)
      throw new Problem(
        'conflict',
        `consumer ${wish.consumer} takes ${row.filter === '' ? 'all groups' : row.filter}`,
        {
          hint: 'ask with that filter, or under another name',
        },
      )
    const isOpen = row !== undefined && row.acked_number < row.lease_number
    const found = isOpen ? undefined : await findGroups(db, wish, position === '' ? (row?.position ?? '') : position)
    return { row, found, offsets: await cursorsOf(db) }
  })
}

/** The groups of an open lease as they are now. */
async function openLease({ store }: QueryDeps, row: Row<'consumers'>, version: string | undefined): Promise<Given> {
  const keys = (row.groups as readonly GroupName[]).map(([runId, groupId]) => ({ run_id: runId, group_id: groupId }))
  return store.transaction(async ({ db }) => ({
    lease: leaseName(row.consumer, row.lease_number),
    groups: await loadGroups(db, keys, version, 'verl'),
    skipped: 0,
    offsets: await cursorsOf(db),
  }))
}

/** Gives the open lease, or makes one of what was completed, waiting for it up to a time. Throws `conflict`, `behind`. */
export async function nextGroups(
  deps: QueryDeps,
  wish: Wish,
  filter: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<Given> {
  const over = AbortSignal.any([signal, AbortSignal.timeout(waitMs)])
  // So that what was told to the log just now is known. Where the store is far behind, the log decides all the same.
  await deps.project.waitFor(await logEnd(deps), Math.min(waitMs, 2000), signal)
  let skipped = 0
  for (let position = ''; ;) {
    const { row, found, offsets } = await look(deps, { ...wish, nowMs: deps.clock() }, filter, position)
    if (found === undefined) {
      if (row === undefined) throw new Problem('internal', 'a consumer without a lease has an open one')
      return { ...(await openLease(deps, row, wish.filters.reward_version)), skipped }
    }
    skipped += found.skipped
    if (found.groups.length > 0) {
      const data = {
        consumer: wish.consumer,
        lease_number: (row?.lease_number ?? 0) + 1,
        filter,
        groups: found.groups.map(({ run_id: runId, group_id: groupId }) => ({ run_id: runId, group_id: groupId })),
        position: found.exhausted ? formatOffsets(offsets) : position === '' ? (row?.position ?? '') : position,
      }
      await tell(deps, 'consumer.leased', data, signal)
      const now = await consumerRow(deps.store.db, wish.consumer)
      // Another one asked at the same time and was first: its lease is everybody's.
      if (now === undefined || now.acked_number >= now.lease_number) continue
      return { ...(await openLease(deps, now, wish.filters.reward_version)), skipped }
    }
    // Nothing below was completed; what is completed later has a newer event.
    position = formatOffsets(offsets)
    const isNews = () => formatOffsets(deps.project.offsets) !== position
    while (!isNews() && !over.aborted) await delay(LOOK_MS, undefined, { signal: over }).catch(() => {})
    if (!isNews()) return { lease: undefined, groups: [], skipped, offsets }
  }
}

function noLease(consumer: string, lease: string): Problem {
  return new Problem('not_found', `${lease.slice(0, 80)} is no lease of consumer ${consumer}`, {
    hint: `acknowledge what /v1/consumers/${consumer}/next gave`,
  })
}

/** Acknowledges a lease; doing it twice changes nothing. Throws `not_found`, `behind`. */
export async function acknowledge(
  deps: QueryDeps,
  consumer: string,
  lease: string,
  signal: AbortSignal,
): Promise<Offsets> {
  const number = Number(/:([1-9]\d{0,14})$/.exec(lease)?.[1])
  if (lease !== leaseName(consumer, number)) throw noLease(consumer, lease)
  let row = await consumerRow(deps.store.db, consumer)
  if (row === undefined || row.lease_number < number) {
    await deps.project.waitFor(await logEnd(deps), FOLD_WAIT_MS, signal)
    row = await consumerRow(deps.store.db, consumer)
  }
  if (row === undefined || row.lease_number < number) throw noLease(consumer, lease)
  if (row.acked_number < number) await tell(deps, 'consumer.acked', { consumer, lease_number: number }, signal)
  return cursorsOf(deps.store.db)
}
