import Type from 'typebox'
import { points } from './cdl.ts'
import { closed, imageIndex } from './fields.ts'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'

const literals = (description: string) => Type.Array(Type.String({ maxLength: 400 }), { maxItems: 120, description })
const problem = Type.Optional(
  Type.String({ maxLength: 4000, description: 'The words of the problem. Default: the question of the item.' }),
)
const query = Type.Optional(Type.String({ maxLength: 4000, description: 'The same as problem.' }))

const formalized = closed({
  construction_cdl: literals('What is drawn.'),
  image_cdl: literals('What is written in the picture.'),
  text_cdl: literals('What is given in words.'),
  goal_cdl: Type.Union([Type.String(), Type.Null()]),
  points,
})

const solved = closed({
  answer: Type.Union([Type.Number(), Type.Null()], { description: 'Null when the facts do not determine it.' }),
  choice: Type.Union([Type.String(), Type.Null()], { description: 'The choice that fits the answer.' }),
  goal: Type.String(),
  method: Type.Union([Type.Literal('rules'), Type.Literal('numeric'), Type.Literal('none')]),
  steps: Type.Array(Type.String(), { description: 'Rules that said something new, in order.' }),
  consistent: Type.Boolean({ description: 'False when the facts contradict one another.' }),
  unread: Type.Array(Type.String(), { description: 'Literals that were not understood.' }),
})

const forms = {
  strategy: Type.Optional(Type.Literal('low-first', { description: 'Cheap rules first; the only one.' })),
  text_logic_forms: Type.Optional(literals('Literals of the words. Default: read from the question.')),
  diagram_logic_forms: Type.Optional(literals('Literals of the diagram. Default: read from the picture.')),
  point_positions: Type.Optional(points),
  goal: Type.Optional(
    Type.String({ maxLength: 400, description: 'Value(…) or Find(…). Default: read from the question.' }),
  ),
  image_index: imageIndex,
}

const common = { family: 'Diagram Formalization', subset: 'SymbolicParsing', concurrency: 4 } as const

const intergps: ToolDefinition = {
  ...common,
  name: 'intergps',
  aliases: ['InterGPS', 'Inter-GPS', 'inter_gps'],
  description: 'Solves geometry problems by rules over literals of CDL or of Inter-GPS.',
  tasks: {
    solve: { description: 'Finds the value that is asked for.', arguments: closed(forms), output: solved },
    formalize: {
      description: 'Gives picture and question as literals.',
      arguments: closed({ image_index: imageIndex }),
      output: formalized,
    },
    verify: {
      description: 'Says whether a value follows from the facts, to 0.5 %.',
      arguments: closed({ answer: Type.Number({ description: 'The value to be checked.' }), ...forms }),
      output: closed({
        verified: Type.Union([Type.Boolean(), Type.Null()], { description: 'Null when the facts do not tell.' }),
      }),
    },
  },
  default_task: 'solve',
  timeout_ms: 20_000,
  retries: 0,
  runs: 'local',
}

const formalizer: ToolDefinition = {
  ...common,
  name: 'diagram_formalizer',
  aliases: ['diagramformalizer', 'DiagramFormalizer', 'diagram-formalizer'],
  description: 'Reads a geometry diagram and its question into literals, and solves them.',
  tasks: {
    formalize: {
      description: 'All four kinds of CDL at once, and where the points lie.',
      arguments: closed({ problem, query, image_index: imageIndex }),
      output: formalized,
    },
    solve: {
      description: 'Reads and solves in one step.',
      arguments: closed({ problem, query, image_index: imageIndex }),
      output: solved,
    },
  },
  default_task: 'formalize',
  timeout_ms: 20_000,
  retries: 0,
  runs: 'local',
}

const text = closed({ processed_output: Type.String(), success: Type.Boolean() })
const asked = closed({ problem, query, image_index: imageIndex })

const remoteFormalizer: ToolDefinition = {
  ...common,
  name: 'diagram_formalizer_model',
  aliases: ['DiagramFormalizerModel'],
  description: 'The trained DiagramFormalizer, at an address of the configuration.',
  tasks: {
    formalize: { description: 'The diagram in formal words.', arguments: asked, output: text },
    solve: { description: 'Solves the problem.', arguments: asked, output: text },
    analyze: { description: 'Says what the diagram holds.', arguments: asked, output: text },
    extract_constraints: { description: 'The constraints of the diagram.', arguments: asked, output: text },
    prove: { description: 'Proves a statement.', arguments: asked, output: text },
  },
  default_task: 'formalize',
  timeout_ms: 60_000,
  retries: 2,
  runs: 'remote',
}

const node = closed({
  id: Type.String(),
  label: Type.String(),
  box: Type.Array(Type.Number(), { minItems: 4, maxItems: 4 }),
})

const diagramParser: ToolDefinition = {
  ...common,
  name: 'diagram_parser',
  aliases: ['DiagramParser', 'diagram_scene_graph'],
  description: 'Reads diagrams of boxes and arrows, and electric circuits, as graphs.',
  tasks: {
    graph: {
      description: 'Labelled boxes and the arrows from box to box, as in food webs and flow charts.',
      arguments: closed({ image_index: imageIndex }),
      output: closed({
        nodes: Type.Array(node),
        arrows: Type.Array(closed({ from: Type.String(), to: Type.String() }), { description: 'By the labels.' }),
      }),
    },
    circuit: {
      description: 'Resistors and sources of a circuit with their values, and the wires (nets) that they join.',
      arguments: closed({ image_index: imageIndex }),
      output: closed({
        components: Type.Array(
          closed({
            kind: Type.Union([Type.Literal('resistor'), Type.Literal('source')]),
            value: Type.Union([Type.Number(), Type.Null()], {
              description: 'In ohms or volts; null where it was not read.',
            }),
            nets: Type.Array(Type.Integer(), { minItems: 2, maxItems: 2 }),
          }),
        ),
      }),
    },
  },
  default_task: 'graph',
  timeout_ms: 20_000,
  retries: 0,
  runs: 'local',
}

/** Diagram formalization, symbolic parsing: diagrams as facts and graphs, and solvers over them. */
export const symbolicParsing: readonly ToolDefinition[] = [intergps, formalizer, remoteFormalizer, diagramParser]
