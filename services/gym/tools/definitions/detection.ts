import Type from 'typebox'
import { box, closed, imageIndex, share } from './fields.ts'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'

const detections = closed({
  boxes: Type.Array(box('In pixels: left, top, right, bottom.')),
  phrases: Type.Array(Type.String()),
  logits: Type.Array(share('How sure the detector is.')),
  num_detections: Type.Integer({ minimum: 0 }),
  size: Type.Array(Type.Integer(), { minItems: 2, maxItems: 2, description: 'Height and width of the picture.' }),
})

/** Perception, detection: things by the words for them. */
export const detection: readonly ToolDefinition[] = [
  {
    name: 'grounding_dino',
    aliases: ['groundingdino', 'GroundingDINO', 'grounding-dino', 'dino'],
    family: 'Perception',
    subset: 'Detection',
    description: 'Finds the things that a caption names and gives their boxes.',
    tasks: {
      detect: {
        description:
          'Boxes of what the caption names. Several things are parted by " . ", such as "red cube . small metal sphere". Known here: colours, shapes, small and large, metal and rubber, text in quotes, "object" for anything, and "left of", "right of", "above", "below", "in front of", "behind" another thing.',
        arguments: closed({
          caption: Type.String({ minLength: 1, maxLength: 1000, description: 'What to look for.' }),
          box_threshold: Type.Optional(share('Boxes below it are left out. Default 0.35.')),
          text_threshold: Type.Optional(share('Phrases below it are left out. Default 0.25.')),
          image_index: imageIndex,
        }),
        output: detections,
      },
    },
    default_task: 'detect',
    timeout_ms: 20_000,
    concurrency: 4,
    retries: 0,
    runs: 'local',
  },
]
