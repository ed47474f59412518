import Type from 'typebox'
import { closed, imageIndex } from './fields.ts'
import type { ToolDefinition, ToolTask } from '#services/gym/tools/tool.ts'

const literals = (description: string) => Type.Array(Type.String(), { maxItems: 200, description })

const question = Type.Optional(
  Type.String({ maxLength: 4000, description: 'The words of the problem. Default: the question of the item.' }),
)

/** Where the named points lie, in pixels. */
export const points = Type.Record(Type.String(), Type.Array(Type.Number(), { minItems: 2, maxItems: 2 }))

function tool(name: string, alias: string, description: string, task: Omit<ToolTask, 'description'>): ToolDefinition {
  return {
    name,
    aliases: [alias],
    family: 'Diagram Formalization',
    subset: 'CDL',
    description,
    tasks: { parse: { description, ...task } },
    default_task: 'parse',
    timeout_ms: 20_000,
    concurrency: 4,
    retries: 0,
    runs: 'local',
  }
}

/** Diagram formalization, CDL: a geometry problem as literals, in the notation of FormalGeo. */
export const cdl: readonly ToolDefinition[] = [
  tool(
    'construction_cdl',
    'cdl_construction',
    'What is drawn in a geometry diagram: Line(AB), Collinear(ADB), Cocircular(O,ABC).',
    {
      arguments: closed({ image_index: imageIndex }),
      output: closed({ construction_cdl: literals('What is drawn.'), points }),
    },
  ),
  tool(
    'image_cdl',
    'cdl_image',
    'What is written in a geometry diagram: Equal(LengthOfLine(AB),12), Equal(MeasureOfAngle(ABC),90).',
    {
      arguments: closed({ image_index: imageIndex }),
      output: closed({ image_cdl: literals('Measures and marks of the picture.') }),
    },
  ),
  tool('text_cdl', 'cdl_text', 'What the words of a geometry problem state, as literals.', {
    arguments: closed({ question }),
    output: closed({ text_cdl: literals('What is given in words.') }),
  }),
  tool('goal_cdl', 'cdl_goal', 'What a geometry problem asks for, as Value(…).', {
    arguments: closed({ question }),
    output: closed({ goal_cdl: Type.Union([Type.String(), Type.Null()]) }),
  }),
]
