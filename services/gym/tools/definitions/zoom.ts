import Type from 'typebox'
import { box, closed, imageIndex } from './fields.ts'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'

const picture = closed({
  width: Type.Integer({ minimum: 1 }),
  height: Type.Integer({ minimum: 1 }),
  box: box('The part that is shown, in pixels of the picture that it was made from.'),
})

/** Crop, zoom and turn: the picture tools of DeepEyes. */
export const zoom: readonly ToolDefinition[] = [
  {
    name: 'deepeyes',
    aliases: ['DeepEyes', 'deep_eyes', 'crop', 'zoom', 'crop_image'],
    family: 'Perception',
    subset: 'Detection',
    description: 'Gives a new picture: a part enlarged, or all of it turned.',
    tasks: {
      image_zoom_in_tool: {
        description: 'The part in a box, enlarged. The box is at least 8 pixels wide and high.',
        arguments: closed({
          bbox_2d: box('Left, top, right, bottom in pixels.'),
          label: Type.Optional(Type.String({ maxLength: 200, description: 'What is looked for there.' })),
          image_index: imageIndex,
        }),
        output: picture,
      },
      image_rotate_tool: {
        description: 'The picture turned by 90, 180 or 270 degrees, clockwise.',
        arguments: closed({
          angle: Type.Union([Type.Literal(90), Type.Literal(180), Type.Literal(270), Type.Literal(-90)]),
          image_index: imageIndex,
        }),
        output: picture,
      },
    },
    default_task: 'image_zoom_in_tool',
    timeout_ms: 20_000,
    concurrency: 4,
    retries: 0,
    runs: 'local',
  },
]
