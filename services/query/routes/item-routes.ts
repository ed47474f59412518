/** /v1/items: questions, their images, and how policies did on them. */
import { sql } from 'kysely'
import type { Row } from '#schemas/tables.ts'
import { ItemRow, ItemWhole, listOf } from '#schemas/http.ts'
import { Problem } from '#services/problem.ts'
import { LIST_PARAMETERS, page, parseCursor } from '#services/query/cursor.ts'
import { imageRows } from '#services/query/rows/image-rows.ts'
import { asNumber, jsonAnswer, readJson, reading } from '#services/query/reading.ts'
import { dataAt } from '#services/query/rows/records.ts'
import { READ_PARAMETERS, type Route, route } from '#services/query/route.ts'
import { TRAJECTORY_FILTERS, scoredTrajectories } from '#services/query/rows/scored.ts'

const LIST = 'items'
const tag = 'Items'
const { run, dataset, family, split, reward_version } = TRAJECTORY_FILTERS

function itemRow(item: Row<'items'>): Record<string, unknown> {
  return {
    item_id: item.item_id,
    dataset: item.dataset,
    family: item.family,
    split: item.split,
    distribution: item.distribution,
    question: item.question,
    answer: item.answer,
    answer_type: item.answer_type,
    image_ids: item.image_ids,
  }
}

const among = (column: string, values: readonly string[]) =>
  values.length === 0
    ? sql<boolean>`true`
    : sql<boolean>`${sql.ref(column)} in (${sql.join(values.map((value) => sql`${value}::text`))})`

const listRoute = route({
  path: '/v1/items',
  tag,
  summary: 'List items',
  detail: 'In order of item_id. With `run`, those that were rolled out in it.',
  parameters: { ...LIST_PARAMETERS, run, dataset, family, split },
  answers: [{ status: 200, description: 'A page of items.', schema: listOf(ItemRow) }],
  handle: async (call) => {
    const { query } = call
    const key = parseCursor(LIST, 1, query.cursor)
    return readJson(call, async (db) => {
      const rows = await db
        .selectFrom('items as i')
        .selectAll()
        .where(key === undefined ? sql<boolean>`true` : sql<boolean>`i.item_id > ${key[0]}::text`)
        .where(among('i.dataset', query.dataset))
        .where(among('i.family', query.family))
        .where(among('i.split', query.split))
        .where(
          query.run.length === 0
            ? sql<boolean>`true`
            : sql<boolean>`exists (select from trajectories t where t.item_id = i.item_id and ${among('t.run_id', query.run)})`,
        )
        .orderBy('i.item_id')
        .limit(query.limit + 1)
        .execute()
      const found = page(LIST, rows, query.limit, (row) => [row.item_id])
      return { rows: found.rows.map(itemRow), next: found.next }
    })
  },
})

const oneRoute = route({
  path: '/v1/items/{item_id}',
  tag,
  summary: 'Read an item',
  detail: 'The question whole, its images, and its pass rate by run and policy version.',
  pathParameters: { item_id: 'The item, URL-encoded.' },
  parameters: { ...READ_PARAMETERS, reward_version },
  answers: [{ status: 200, description: 'The item.', schema: ItemWhole }],
  problems: ['not_found'],
  handle: async (call) => {
    const itemId = call.path('item_id')
    const { deps, query } = call
    if (query.reward_version === '*')
      throw new Problem('invalid_parameter', 'a pass rate is over one reward version', {
        hint: 'name the version, or leave it out for that of the run',
        details: { parameter: 'reward_version' },
      })
    const { result, offsets } = await reading(call, async (db) => {
      const item = await db.selectFrom('items').selectAll().where('item_id', '=', itemId).executeTakeFirst()
      if (item === undefined)
        throw new Problem('not_found', `there is no item ${JSON.stringify(itemId.slice(0, 80))}`, {
          hint: 'list them: /v1/items',
        })
      const images = await imageRows(db, item.image_ids as string[], deps.publicUrl)
      const rates = await scoredTrajectories(db, query.reward_version)
        .where('t.item_id', '=', itemId)
        .where('t.finished_offset', 'is not', null)
        .where('score.correct', 'is not', null)
        .where('t.n_conflicts', '=', 0)
        .groupBy(['t.run_id', 't.policy_version'])
        .orderBy('t.run_id')
        .orderBy('t.policy_version')
        .select([
          't.run_id',
          't.policy_version',
          asNumber(sql`count(*)`).as('n_rollouts'),
          asNumber(sql`count(*) filter (where score.correct)`).as('n_pass'),
        ])
        .limit(1000)
        .execute()
      return { item, images, rates }
    })
    const registered = await dataAt(deps, result.item.partition, result.item.offset)
    const question = registered?.['question']
    return jsonAnswer(
      deps,
      {
        ...itemRow(result.item),
        ...(typeof question === 'string' ? { question } : {}),
        registered,
        images: result.images,
        pass_rates: result.rates.map((rate) => ({ ...rate, pass_rate: rate.n_pass / rate.n_rollouts })),
      },
      offsets,
    )
  },
})

export const ITEM_ROUTES: readonly Route[] = [listRoute, oneRoute]
