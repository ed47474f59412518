import Type from 'typebox'
import { closed, imageIndex } from './fields.ts'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'

const words = (description: string) => Type.Optional(Type.String({ maxLength: 4000, description }))
const text = closed({ processed_output: Type.String(), success: Type.Boolean() })
const common = { family: 'Math Solvers', concurrency: 4 } as const

const mathSolver: ToolDefinition = {
  ...common,
  name: 'math_solver',
  aliases: ['MathSolver', 'equation_solver'],
  subset: 'Math',
  description: 'Works out expressions and solves equations; every root is checked by putting it in.',
  tasks: {
    solve: {
      description:
        'An expression such as 1/(1/4+1/6)+3, an equation such as x^2+3*x=10, or linear equations parted by commas or semicolons.',
      arguments: closed({
        problem: Type.String({ minLength: 1, maxLength: 500, description: 'The expression or the equations.' }),
        variable: Type.Optional(
          Type.String({ pattern: '^[a-zA-Z]$', description: 'The unknown of the equation. Default: the only one.' }),
        ),
      }),
      output: closed({
        kind: Type.Union([Type.Literal('value'), Type.Literal('roots'), Type.Literal('system')]),
        value: Type.Union([Type.Number(), Type.Null()], {
          description: 'The value of an expression, or the only root.',
        }),
        roots: Type.Array(Type.Number(), { description: 'Real roots of an equation, rising.' }),
        solution: Type.Record(Type.String(), Type.Number(), { description: 'The unknowns of a system.' }),
      }),
    },
  },
  default_task: 'solve',
  timeout_ms: 10_000,
  retries: 0,
  runs: 'local',
}

const remote = { timeout_ms: 60_000, retries: 2, runs: 'remote' } as const

const gllava: ToolDefinition = {
  ...common,
  ...remote,
  name: 'gllava',
  aliases: ['G-LLaVA', 'g_llava', 'g-llava'],
  subset: 'Multimodal',
  description: 'G-LLaVA, a model for geometry problems with pictures, at an address of the configuration.',
  tasks: {
    solve: {
      description: 'Solves a geometry problem.',
      arguments: closed({
        problem: words('The words of the problem.'),
        query: words('The same as problem.'),
        image_index: imageIndex,
      }),
      output: text,
    },
  },
  default_task: 'solve',
}

const mathArguments = closed({
  question: words('The question. Default: that of the item.'),
  output_format: Type.Optional(
    Type.Union([Type.Literal('answer_only'), Type.Literal('with_steps'), Type.Literal('detailed')], {
      description: 'How much is written.',
    }),
  ),
  problem_type: words('Such as geometry or algebra.'),
  image_index: imageIndex,
})

const multimath: ToolDefinition = {
  ...common,
  ...remote,
  name: 'multimath',
  aliases: ['MultiMath', 'multimath_server', 'multi_math'],
  subset: 'Math',
  description: 'MultiMath, a model for mathematics with pictures, at an address of the configuration.',
  tasks: {
    solve: { description: 'Solves the problem.', arguments: mathArguments, output: text },
    analyze: { description: 'Says what the problem gives and asks.', arguments: mathArguments, output: text },
    explain: { description: 'Explains the way to the answer.', arguments: mathArguments, output: text },
  },
  default_task: 'solve',
}

/** Math solvers: one that runs here, and two models elsewhere. */
export const mathSolvers: readonly ToolDefinition[] = [mathSolver, gllava, multimath]
