/** Folds leases of consumers. The order of the log decides who of two that ask at once is given what. */
import type { Row } from '#schemas/tables.ts'
import type { Fact } from './fact.ts'
import { ACCEPTED, again, type Outcome } from './outcome.ts'
import { type FoldState, rowKey } from './state.ts'

/** A group as a lease names it. */
export type GroupName = readonly [runId: string | null, groupId: string]

/** The groups that a lease gives. */
export function groupsOf(data: Fact['data']): readonly GroupName[] {
  const given = data['groups'] as readonly { readonly run_id?: string | null; readonly group_id: string }[]
  return given.map(({ run_id: runId, group_id: groupId }) => [runId ?? null, groupId])
}

/** The key of a group in `consumer_groups`. */
export function consumerGroupKey(consumer: string, [runId, groupId]: GroupName): string {
  return rowKey(consumer, runId ?? '', groupId)
}

function taken(row: Row<'consumers'>, message: string): Outcome {
  return { verdict: 'conflict', firstOffset: row.last_offset, code: 'lease_taken', message }
}

/** A lease counts where it is the next one and the one before is acknowledged. */
export function foldLeased(state: FoldState, fact: Fact): Outcome {
  const { data } = fact
  const consumer = String(data['consumer'])
  const number = Number(data['lease_number'])
  const row = state.get('consumers', consumer)
  if (row !== undefined) {
    if (number === row.lease_number) return again(row.last_offset, row.leased_hash, fact.contentHash)
    if (number !== row.lease_number + 1) return taken(row, `lease ${row.lease_number} is the newest`)
    if (row.acked_number !== row.lease_number) return taken(row, `lease ${row.lease_number} is not acknowledged yet`)
  } else if (number !== 1) {
    return { verdict: 'conflict', firstOffset: fact.offset, code: 'lease_taken', message: 'the first lease is 1' }
  }
  const groups = groupsOf(data)
  state.put('consumers', consumer, {
    consumer,
    partition: fact.partition,
    first_offset: row?.first_offset ?? fact.offset,
    last_offset: fact.offset,
    filter: String(data['filter']),
    lease_number: number,
    leased_hash: fact.contentHash,
    leased_at: fact.time,
    groups,
    acked_number: row?.acked_number ?? 0,
    position: String(data['position']),
    n_groups: (row?.n_groups ?? 0) + groups.length,
  })
  for (const group of groups) {
    const [runId, groupId] = group
    state.put('consumer_groups', consumerGroupKey(consumer, group), {
      consumer,
      run_id: runId ?? '',
      group_id: groupId,
      offset: fact.offset,
      lease_number: number,
    })
  }
  return ACCEPTED
}

/** An acknowledgement counts once, and only for the newest lease. */
export function foldAcked(state: FoldState, fact: Fact): Outcome {
  const consumer = String(fact.data['consumer'])
  const number = Number(fact.data['lease_number'])
  const row = state.get('consumers', consumer)
  if (row !== undefined && number <= row.acked_number) return { verdict: 'duplicate', firstOffset: row.last_offset }
  if (row === undefined || number !== row.lease_number)
    return {
      verdict: 'conflict',
      firstOffset: row?.last_offset ?? fact.offset,
      code: 'no_such_lease',
      message: `the consumer was given no lease ${number}`,
    }
  row.acked_number = number
  row.last_offset = fact.offset
  state.put('consumers', consumer, row)
  return ACCEPTED
}
