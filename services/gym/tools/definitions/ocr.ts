import Type from 'typebox'
import { box, closed, imageIndex, share } from './fields.ts'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'

const minConfidence = Type.Optional(share('Readings below it are left out. Default 0.3.'))
const success = Type.Boolean()
const region = closed({ text: Type.String(), box: box('In pixels.'), confidence: share('How sure the reading is.') })
const regions = closed({
  task_type: Type.String(),
  success,
  processed_output: Type.String({ description: 'All text, line by line.' }),
  regions: Type.Array(region),
})
const table = closed({
  task_type: Type.String(),
  success,
  processed_output: Type.String({ description: 'The table, cells parted by |.' }),
  rows: Type.Array(Type.Array(Type.String())),
})

/** Perception, OCR: text and where it stands. */
export const ocr: readonly ToolDefinition[] = [
  {
    name: 'easyocr',
    aliases: ['EasyOCR', 'easy_ocr', 'ocr'],
    family: 'Perception',
    subset: 'OCR',
    description: 'Reads the text in the picture.',
    tasks: {
      detect_and_recognize: {
        description: 'All text with its places.',
        arguments: closed({ min_confidence: minConfidence, image_index: imageIndex }),
        output: regions,
      },
      detect_only: {
        description: 'Where text stands, unread.',
        arguments: closed({ image_index: imageIndex }),
        output: closed({
          task_type: Type.String(),
          success,
          processed_output: Type.String(),
          boxes: Type.Array(box('In pixels.')),
        }),
      },
      recognize_only: {
        description: 'All text, without places.',
        arguments: closed({ min_confidence: minConfidence, image_index: imageIndex }),
        output: closed({
          task_type: Type.String(),
          success,
          processed_output: Type.String(),
          texts: Type.Array(Type.String()),
        }),
      },
      extract_by_region: {
        description: 'The text inside a box.',
        arguments: closed({
          region: box('Left, top, right, bottom in pixels.'),
          min_confidence: minConfidence,
          image_index: imageIndex,
        }),
        output: regions,
      },
      extract_table: {
        description: 'Text in rows and columns.',
        arguments: closed({
          row_tolerance: Type.Optional(
            Type.Number({
              minimum: 1,
              maximum: 200,
              description: 'How far apart, in pixels, texts of one row may be. Default 10.',
            }),
          ),
          min_confidence: minConfidence,
          image_index: imageIndex,
        }),
        output: table,
      },
    },
    default_task: 'detect_and_recognize',
    timeout_ms: 30_000,
    concurrency: 4,
    retries: 0,
    runs: 'local',
  },
]
