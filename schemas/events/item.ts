/** Events about items (questions) and the images that go with them. */
import { id, integer, json, list, maybe, object, sha256, text } from '#schemas/fields.ts'
import { defineEvent } from './define.ts'

export const ItemRegistered = defineEvent({
  type: 'item.registered',
  meaning: 'A question of a data set became known.',
  key: ['item_id'],
  partitionBy: 'item_id',
  data: object(
    {
      item_id: id('The item: stable over runs, such as data set, split and source index.'),
      dataset: id('The data set, such as ChartQA. An open dictionary.'),
      family: id('The task family, such as Chart Understanding. An open dictionary.'),
      split: id('train, test or another part of the data set.'),
      question: text('The question.'),
      answer: list(text('An accepted answer.'), 'The accepted answers; may be empty.'),
      answer_type: maybe(text('numeric, choice, text, list, yes_no or another word.')),
      choices: maybe(list(text('A choice.'), 'The choices, where the question has them.')),
      image_ids: maybe(list(sha256('An image.'), 'The images of the question, in order.')),
      distribution: maybe(text('id or ood.')),
      question_type: maybe(text('The kind of question.')),
      metadata: maybe(json('Anything else.')),
    },
    '',
  ),
  examples: [
    {
      item_id: 'chartqa/train/17',
      dataset: 'ChartQA',
      family: 'Chart Understanding',
      split: 'train',
      question: 'Which bar is tallest?',
      answer: ['Kenya'],
    },
  ],
})

const mediaType = () => text('image/png, image/jpeg or image/webp.')

export const ImageRegistered = defineEvent({
  type: 'image.registered',
  meaning: 'An image was described. Its bytes are sent apart, by PUT /v1/images/{sha256}.',
  key: ['image_id'],
  partitionBy: 'image_id',
  data: object(
    {
      image_id: sha256('The SHA-256 of the bytes of the image.'),
      media_type: mediaType(),
      width: integer('Width in pixels.', 1),
      height: integer('Height in pixels.', 1),
      bytes: integer('Size in bytes.', 1),
      role: maybe(text('question, tool_output, annotated, crop or mask.')),
      parent_image_id: maybe(sha256('The image that this one was made from.')),
      transform: maybe(json('How it was made: box, angle.')),
      n_vision_tokens: maybe(integer('How many tokens it takes.')),
    },
    '',
  ),
  examples: [
    { image_id: 'a'.repeat(64), media_type: 'image/png', width: 448, height: 448, bytes: 20480, role: 'question' },
  ],
})

export const ImageStored = defineEvent({
  type: 'image.stored',
  meaning:
    'The bytes of an image are durable. Written by Stepstore when an image is put, so that what is missing is a fact of the log.',
  key: ['image_id'],
  partitionBy: 'image_id',
  internal: true,
  data: object(
    { image_id: sha256('The SHA-256 of the bytes.'), media_type: mediaType(), bytes: integer('Size in bytes.', 1) },
    '',
  ),
  examples: [{ image_id: 'a'.repeat(64), media_type: 'image/png', bytes: 20480 }],
})

const letterId = () => sha256('The quarantined record: the SHA-256 of its bytes.')

export const QuarantineDropped = defineEvent({
  type: 'quarantine.dropped',
  meaning: 'Somebody decided that a quarantined record is not worth keeping in the list. Written by Stepstore.',
  key: ['quarantine_id'],
  partitionBy: 'quarantine_id',
  internal: true,
  data: object({ quarantine_id: letterId() }, ''),
  examples: [{ quarantine_id: 'b'.repeat(64) }],
})

export const QuarantineRetried = defineEvent({
  type: 'quarantine.retried',
  meaning: 'A quarantined record could be read at last and was appended again. Written by Stepstore.',
  key: ['quarantine_id'],
  partitionBy: 'quarantine_id',
  internal: true,
  data: object({ quarantine_id: letterId() }, ''),
  examples: [{ quarantine_id: 'b'.repeat(64) }],
})
