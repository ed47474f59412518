import Type from 'typebox'
import { box, closed, imageIndex } from './fields.ts'
import type { ToolDefinition, ToolTask } from '#services/gym/tools/tool.ts'

const points = Type.Array(Type.Array(Type.Number({ minimum: 0, maximum: 1e5 }), { minItems: 2, maxItems: 2 }), {
  minItems: 1,
  maxItems: 32,
  description: 'Points [x, y] in pixels.',
})
const labels = Type.Array(Type.Union([Type.Literal(0), Type.Literal(1)]), {
  maxItems: 32,
  description: 'For each point: 1 belongs to it, 0 does not.',
})
const masks = closed({
  num_masks: Type.Integer({ minimum: 0 }),
  results: Type.Array(
    closed({
      box: box('Around the mask.'),
      area: Type.Integer({ minimum: 0, description: 'Pixels.' }),
      coverage_percent: Type.Number({ minimum: 0, maximum: 100 }),
      centre: Type.Array(Type.Number(), { minItems: 2, maxItems: 2 }),
      colour: Type.String({ description: 'The name of its mean colour.' }),
      rle: Type.Array(Type.Integer({ minimum: 0 }), {
        description: 'The mask in its box, row by row: runs of outside and inside in turn, outside first.',
      }),
    }),
  ),
  coverage_percent: Type.Number({ minimum: 0, maximum: 100, description: 'Of all masks together.' }),
  size: Type.Array(Type.Integer(), { minItems: 2, maxItems: 2, description: 'Height and width of the picture.' }),
})

const task = (description: string, fields: ToolTaskFields): ToolTask => ({
  description,
  arguments: closed({ ...fields, image_index: imageIndex }),
  output: masks,
})
type ToolTaskFields = Type.TProperties

/** Perception, segmentation: the pixels of a thing. */
export const segmentation: readonly ToolDefinition[] = [
  {
    name: 'sam',
    aliases: ['sam2', 'SAM', 'SAM2', 'segment_anything'],
    family: 'Perception',
    subset: 'Segmentation',
    description: 'Cuts things out of the picture: around points, inside a box, or everything.',
    tasks: {
      point_segment: task('The thing at the points.', { points, labels: Type.Optional(labels) }),
      box_segment: task('The largest thing inside a box.', { box: box('Left, top, right, bottom in pixels.') }),
      everything_segment: task('All things in the picture, the largest first.', {}),
    },
    default_task: 'everything_segment',
    timeout_ms: 20_000,
    concurrency: 4,
    retries: 0,
    runs: 'local',
  },
]
