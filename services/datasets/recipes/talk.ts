/** Whole conversations, one for each kept trajectory: the prompt, then for each step what was done and what came back. */
import { sqlName } from '#services/datasets/sql.ts'
import { relation, type LakeFiles, type LocalFile } from '#services/datasets/files.ts'
import {
  PROMPT_IMAGES,
  PROMPT_LOSS_MASK,
  PROMPT_MESSAGE_IMAGES,
  PROMPT_MESSAGES,
  PROMPT_TEXTS,
  STEP_COLUMNS,
  STEP_IMAGES,
  STEP_LOSS_MASK,
  STEP_MESSAGE_IMAGES,
  STEP_MESSAGES,
  STEP_TEXTS,
} from '#services/datasets/messages.ts'

/** A list of a conversation: its SQL over a step `s` and over a prompt `p`. */
export interface TalkList {
  readonly step: string
  readonly prompt: string
}

export const TALK_LISTS = {
  messages: { step: STEP_MESSAGES, prompt: PROMPT_MESSAGES },
  loss_mask: { step: STEP_LOSS_MASK, prompt: PROMPT_LOSS_MASK },
  images: { step: STEP_IMAGES, prompt: PROMPT_IMAGES },
  message_images: { step: STEP_MESSAGE_IMAGES, prompt: PROMPT_MESSAGE_IMAGES },
  texts: { step: STEP_TEXTS, prompt: PROMPT_TEXTS },
} as const satisfies Record<string, TalkList>

/** Prompts of all trajectories, the unfinished ones included: (trajectory_id, prompt, tools). */
export function prompts(files: LakeFiles): string {
  return `(SELECT trajectory_id, prompt, tools FROM ${relation('trajectories', files, ['trajectory_id', 'prompt', 'tools'])}
    UNION ALL SELECT trajectory_id, prompt, tools FROM unfinished_starts)`
}

/** Columns that only a step without `raw_output` is put together from. */
const PIECES = ['think_text', 'answer_text']

/**
 * Steps with these columns. The pieces repeat what stands in `raw_output`, a third of all bytes, so they are read
 * only where there is none. A file of which is noted that all or none of its steps have it is opened once.
 */
function spoken(files: LakeFiles, columns: readonly string[]): string {
  const whole = columns.filter((name) => !PIECES.includes(name))
  const none = PIECES.map((name) => `NULL::VARCHAR AS ${name}`)
  const steps = files.steps ?? []
  const withIt = steps.filter(({ rows, stats }) => stats['raw_output']?.null_count !== rows)
  const withoutIt = steps.filter(({ stats }) => stats['raw_output']?.null_count !== 0)
  const read = (some: readonly LocalFile[], names: readonly string[]) =>
    relation('steps', { ...files, steps: some }, names)
  return `(SELECT ${[...whole.map(sqlName), ...none].join(', ')} FROM ${read(withIt, whole)} WHERE raw_output IS NOT NULL
    UNION ALL SELECT ${[...whole, ...PIECES].map(sqlName).join(', ')} FROM ${read(withoutIt, [...whole, ...PIECES])} WHERE raw_output IS NULL)`
}

/**
 * A list of `said` in the order of steps. Each list is put in order once it is whole, and left as it is where it came
 * so: an ordered aggregate sorts every group of every list by itself, which took two thirds more time than all of this.
 */
const inOrder = (list: string) =>
  `CASE WHEN said.at = list_sort(said.at) THEN ${list} ELSE list_select(${list}, list_grade_up(said.at)) END`

export interface Talk {
  readonly files: LakeFiles
  /** The lists that are wanted. */
  readonly lists: Readonly<Record<string, TalkList>>
  /** A query that gives the trajectories, with all columns that are wanted of them. */
  readonly trajectories: string
  /** Further aggregates over the steps `s` of a trajectory, by name. */
  readonly ofSteps?: Readonly<Record<string, string>>
  readonly stepColumns?: readonly string[]
}

/**
 * Common table expressions that end in `talk`: the columns of `trajectories`, `tools`, and of each list `<name>` the
 * parts `asked_<name>` (of the prompt) and `said_<name>` (of the steps).
 */
export function talkExpressions({ files, lists, trajectories, ofSteps = {}, stepColumns = [] }: Talk): string {
  const names = Object.entries(lists)
  const said = [
    'list(s.step_index) AS at',
    ...names.map(([name, { step }]) => `list(${step}) AS ${name}`),
    ...Object.entries(ofSteps).map(([name, sql]) => `${sql} AS ${name}`),
  ]
  const asked = names.map(([name, { prompt }]) => `${prompt} AS ${name}`)
  return `k AS (${trajectories}),
    said AS (
      SELECT s.trajectory_id, ${said.join(', ')}
      FROM ${spoken(files, [...new Set([...STEP_COLUMNS, ...stepColumns])])} s JOIN k ON k.trajectory_id = s.trajectory_id GROUP BY s.trajectory_id
    ),
    asked AS (
      SELECT p.trajectory_id, ${asked.join(', ')}, p.tools
      FROM ${prompts(files)} p JOIN k ON k.trajectory_id = p.trajectory_id
    ),
    talk AS (
      SELECT k.*, asked.tools, ${[
        ...names.flatMap(([name]) => [
          `coalesce(asked.${name}, []) AS asked_${name}`,
          `coalesce(flatten(${inOrder(`said.${name}`)}), []) AS said_${name}`,
        ]),
        ...Object.keys(ofSteps).map((name) => `said.${name}`),
      ].join(', ')}
      FROM k LEFT JOIN asked ON asked.trajectory_id = k.trajectory_id LEFT JOIN said ON said.trajectory_id = k.trajectory_id
    )`
}
