/** All tools: the paper's by family, subset, tool and task, found by any of their names. */
import { nearest } from '#services/core/nearest.ts'
import { cdl } from './definitions/cdl.ts'
import { chartModels } from './definitions/chart-models.ts'
import { chartTools } from './definitions/chart-tools.ts'
import { detection } from './definitions/detection.ts'
import { mapsAndInstruments } from './definitions/maps-and-instruments.ts'
import { mathSolvers } from './definitions/math-solvers.ts'
import { ocr } from './definitions/ocr.ts'
import { segmentation } from './definitions/segmentation.ts'
import { symbolicParsing } from './definitions/symbolic-parsing.ts'
import { zoom } from './definitions/zoom.ts'
import type { ToolDefinition, ToolTask } from './tool.ts'

/** The tools of the paper (arXiv 2511.19773, B) and those of the released code, in the paper's order. */
export const definitions: readonly ToolDefinition[] = [
  ...mapsAndInstruments,
  ...detection,
  ...segmentation,
  ...ocr,
  ...zoom,
  ...chartTools,
  ...chartModels,
  ...cdl,
  ...symbolicParsing,
  ...mathSolvers,
]

/** A tool and a task of it. */
export type FoundTask = { readonly definition: ToolDefinition; readonly task: string; readonly details: ToolTask }

/** Why no task was found: no such tool, or the tool has no such task. */
export type NotFound = { readonly definition: ToolDefinition | null; readonly message: string }

/** Finds tools by their names and aliases; case, spaces, dots, dashes and underscores do not matter. */
export type Registry = {
  readonly definitions: readonly ToolDefinition[]
  /**
   * The tool and task that are meant. `name` may bear the task after a point, as in ChartMoE.to_table, or be the name of a
   * task that one tool alone has, as in image_zoom_in_tool. No task means the default one.
   */
  find(name: string, task: string | null): FoundTask | NotFound
}

/** Throws RangeError where two tools claim one name, or a default task is not there. */
export function registry(all: readonly ToolDefinition[] = definitions): Registry {
  const byName = new Map<string, ToolDefinition>()
  const byTask = new Map<string, ToolDefinition | null>()
  for (const definition of all) {
    if (definition.tasks[definition.default_task] === undefined) {
      throw new RangeError(`${definition.name} has no task ${definition.default_task}`)
    }
    for (const name of new Set([definition.name, ...definition.aliases].map(plain))) {
      if (byName.has(name)) throw new RangeError(`two tools are called ${name}`)
      byName.set(name, definition)
    }
    for (const task of Object.keys(definition.tasks)) {
      byTask.set(plain(task), byTask.has(plain(task)) ? null : definition)
    }
  }
  return {
    definitions: all,
    find(name, task) {
      const whole = byName.get(plain(name))
      if (whole !== undefined) return taskOf(whole, task)
      const point = name.lastIndexOf('.')
      const before = point < 0 ? undefined : byName.get(plain(name.slice(0, point)))
      if (before !== undefined) return taskOf(before, task ?? name.slice(point + 1))
      const alone = byTask.get(plain(name))
      if (alone !== null && alone !== undefined) return taskOf(alone, task ?? name)
      const names = all.map((definition) => definition.name)
      const near = nearest(name, [...names, ...all.flatMap(({ aliases }) => aliases)])
      const hint = near === undefined ? '.' : `; did you mean ${near}?`
      return {
        definition: null,
        message: `there is no tool ${JSON.stringify(name.slice(0, 60))}${hint} The tools are ${names.join(', ')}`,
      }
    },
  }
}

function taskOf(definition: ToolDefinition, given: string | null): FoundTask | NotFound {
  const names = Object.keys(definition.tasks)
  const wanted = given === null || given === '' ? definition.default_task : given
  const task = names.find((name) => plain(name) === plain(wanted))
  const details = task === undefined ? undefined : definition.tasks[task]
  if (task !== undefined && details !== undefined) return { definition, task, details }
  const near = nearest(wanted, names)
  return {
    definition,
    message: `${definition.name} has no task ${JSON.stringify(wanted.slice(0, 60))}${near === undefined ? '.' : `; did you mean ${near}?`} Its tasks are ${names.join(', ')}`,
  }
}

function plain(name: string): string {
  return name
    .slice(0, 100)
    .toLowerCase()
    .replace(/[\s._-]+/g, '')
}

/** The tools in the shape that chat templates take: one function a tool, with its tasks as a choice. */
export function toolSchemas(all: readonly ToolDefinition[]): Readonly<Record<string, unknown>>[] {
  return all.map(({ name, description, tasks, default_task }) => ({
    type: 'function',
    function: {
      name,
      description,
      parameters: {
        type: 'object',
        properties: {
          task: { type: 'string', enum: Object.keys(tasks), default: default_task },
          arguments: {
            description: 'The arguments of the task.',
            anyOf: Object.entries(tasks).map(([task, details]) => ({
              title: task,
              description: details.description,
              ...(JSON.parse(JSON.stringify(details.arguments)) as Record<string, unknown>),
            })),
          },
        },
        required: ['task'],
      },
    },
  }))
}
