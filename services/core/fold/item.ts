/** Folds events about items and images. */
import type { Row } from '#schemas/tables.ts'
import type { Fact } from './fact.ts'
import { ACCEPTED, type Outcome, again } from './outcome.ts'
import type { FoldState } from './state.ts'
import { numberOrNull, preview, textOrNull } from './values.ts'

export function foldItem(state: FoldState, fact: Fact): Outcome {
  const { data } = fact
  const itemId = String(data['item_id'])
  const known = state.get('items', itemId)
  if (known !== undefined) return again(known.offset, known.content_hash, fact.contentHash)
  state.put('items', itemId, {
    item_id: itemId,
    partition: fact.partition,
    offset: fact.offset,
    content_hash: fact.contentHash,
    dataset: String(data['dataset']),
    family: String(data['family']),
    split: String(data['split']),
    distribution: textOrNull(data, 'distribution'),
    question: preview(String(data['question'])),
    answer_type: textOrNull(data, 'answer_type'),
    answer: data['answer'],
    image_ids: data['image_ids'] ?? [],
  })
  return ACCEPTED
}

/** An image has two facts, that it was described and that its bytes are held; they share a row. */
export function foldImage(state: FoldState, fact: Fact): Outcome {
  const { data } = fact
  const imageId = String(data['image_id'])
  const described = fact.type === 'image.registered'
  const known = state.get('images', imageId)
  const before = described ? known?.registered_hash : known?.stored_hash
  if (known !== undefined && before !== null && before !== undefined)
    return again(known.first_offset, before, fact.contentHash)
  const row: Row<'images'> = known ?? {
    image_id: imageId,
    partition: fact.partition,
    first_offset: fact.offset,
    last_offset: fact.offset,
    registered_hash: null,
    stored_hash: null,
    media_type: String(data['media_type']),
    bytes: Number(data['bytes']),
    width: null,
    height: null,
    role: null,
    parent_image_id: null,
    stored: false,
  }
  row.last_offset = fact.offset
  if (described) {
    Object.assign(row, {
      registered_hash: fact.contentHash,
      width: numberOrNull(data, 'width'),
      height: numberOrNull(data, 'height'),
      role: textOrNull(data, 'role'),
      parent_image_id: textOrNull(data, 'parent_image_id'),
    } satisfies Partial<Row<'images'>>)
  } else {
    row.stored_hash = fact.contentHash
    row.stored = true
  }
  // What was stored is what is there; a description may be mistaken, and must not depend on which came first.
  if (!described || !row.stored) {
    row.media_type = String(data['media_type'])
    row.bytes = Number(data['bytes'])
  }
  state.put('images', imageId, row)
  return ACCEPTED
}
