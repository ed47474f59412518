import { groupedText } from '#services/gym/families/chart/bar-chart-drawing.ts'
import { solve, tableOf } from '#services/gym/families/chart/bar-chart-question.ts'
import { readNumber } from '#services/gym/loop/answer-check.ts'
import { answeringThought, lookingThought, rambling, secondTryThought, stuckThought } from './policy-words.ts'
import { random } from './random.ts'
import type { Row } from '#services/gym/families/chart/bar-chart-question.ts'
import type { GymItem } from './item.ts'
import type { Random } from './random.ts'

/** How often a policy does what, as shares of rollouts; slips also grow with the difficulty of the question. */
export type Skill = {
  /** Answers from the picture without calling the tool. */
  readonly skips_tool: number
  /** Calls the tool wrongly at first, and again after an error. */
  readonly bad_call: number
  /** Writes a turn that breaks the grammar. */
  readonly malformed: number
  /** Gets stuck in a loop while thinking. */
  readonly stuck: number
  /** Takes a neighbouring row's value, or works the answer out wrongly. */
  readonly slips: number
  /** Has a wrong idea of a whole item, so that almost every rollout of it fails. */
  readonly blind: number
  readonly rambles: number
}

/** Scripted skill by policy version. Measured on seed 1, 20 items in groups of 8: see the test of the demo. */
export const skills: readonly Skill[] = [
  { skips_tool: 0.34, bad_call: 0.42, malformed: 0.17, stuck: 0.06, slips: 0.42, blind: 0.42, rambles: 0.55 },
  { skips_tool: 0.12, bad_call: 0.2, malformed: 0.07, stuck: 0.02, slips: 0.24, blind: 0.25, rambles: 0.3 },
  { skips_tool: 0.02, bad_call: 0.05, malformed: 0.015, stuck: 0.005, slips: 0.05, blind: 0.07, rambles: 0.08 },
]

/** What a policy sees before a turn: how the conversation went on after the prompt. */
export type Heard = { readonly observation: string; readonly ok: boolean } | null

/** One rollout's policy: give it what it heard, get the raw text of its next turn. */
export type ScriptedPolicy = { turn(heard: Heard): string }

const difficulty: Record<GymItem['question']['query']['kind'], number> = {
  value: 0.5,
  largest: 0.5,
  smallest: 0.7,
  second: 1.2,
  difference: 1.4,
  count_above: 1.4,
  compare: 0.6,
}

/**
 * A policy of scripted skill for one rollout. It reads the table from the tool's answer; what it "sees"
 * without the tool is the chart's data, blurred. Its faults are drawn from the seed, by item, version and rollout.
 */
export function scriptedPolicy(item: GymItem, version: number, rollout: number): ScriptedPolicy {
  const skill = skillOf(version)
  const draw = random(item.seed, 'item', item.index, 'policy', version, rollout, 'skill')
  const words = random(item.seed, 'item', item.index, 'policy', version, rollout, 'words')
  const hard = difficulty[item.question.query.kind]
  // The same draw for every version: what a better policy is blind to, a worse one is too.
  const blind = random(item.seed, 'item', item.index, 'blind').next() < skill.blind * hard
  const plan = {
    skips: draw.chance(skill.skips_tool),
    stuck: draw.chance(skill.stuck),
    malformed: draw.chance(skill.malformed),
    slips: draw.chance(blind ? 0.97 : skill.slips * hard),
    rambles: draw.chance(skill.rambles),
  }
  let calls = 0

  function turn(heard: Heard): string {
    const table = heard?.ok === true ? readTable(heard.observation) : null
    const givesUp = heard !== null && !heard.ok && draw.chance(skill.bad_call * 0.5)
    if (table === null && !plan.skips && !givesUp) return callingTurn(heard)
    const source = table === null ? 'eye' : 'table'
    return answeringTurn(table ?? seen(item, draw), source)
  }

  function callingTurn(heard: Heard): string {
    calls++
    const { topic } = item.chart
    const thought =
      heard === null
        ? lookingThought(item.question.query, topic.noun, words)
        : secondTryThought(heard.observation, words)
    const aside = plan.rambles ? ` ${rambling(words)}` : ''
    const call = draw.chance(skill.bad_call / calls) ? badCall(draw) : goodCall(draw)
    return `<think>${thought}${aside}</think><tool_call>${call}</tool_call>`
  }

  function answeringTurn(rows: readonly Row[], source: 'table' | 'eye'): string {
    const { query } = item.question
    const { decimals } = item.chart.topic
    const believed = plan.slips ? misread(item, rows, draw) : rows
    const answer = solve(query, believed, decimals)
    const aside = plan.rambles ? `${rambling(words)} ` : ''
    const thought = aside + answeringThought(query, believed, answer, source, words)
    const written = writtenAnswer(answer, item, words)
    if (plan.stuck) return stuckTurn(thought, written, draw)
    return plan.malformed
      ? malformedTurn(thought, written, draw)
      : `<think>${thought}</think><answer>${written}</answer>`
  }

  return { turn }
}

function skillOf(version: number): Skill {
  const skill = skills[version]
  if (skill === undefined) {
    throw new RangeError(`policy_version ${version} is not scripted: use 0 to ${skills.length - 1}`)
  }
  return skill
}

/** The rows of a tool's answer: a Markdown table, or "label: value" lines. Null where there is none. */
function readTable(observation: string): Row[] | null {
  const rows: Row[] = []
  for (const line of observation.split('\n')) {
    const match = /^\| (.+?) \| (.+?) \|$/.exec(line) ?? /^([^:|]+): (.+)$/.exec(line)
    const value = readNumber(match?.[2] ?? '')
    if (match?.[1] !== undefined && value !== null) rows.push({ label: match[1], value })
  }
  return rows.length > 0 ? rows : null
}

/** The bars as the eye sees them: each off by up to 9 % of the axis, in steps the eye would name. */
function seen(item: GymItem, chance: Random): Row[] {
  const { axis, topic } = item.chart
  const grain = axis.step / 10
  return tableOf(item.chart).map(({ label, value }) => {
    const blurred = value + (chance.next() - 0.5) * 0.18 * axis.max
    return { label, value: Number((Math.max(1, Math.round(blurred / grain)) * grain).toFixed(topic.decimals)) }
  })
}

/** Rows with a fault that changes the answer: values of two bars swapped, found by trying seeded swaps. */
function misread(item: GymItem, rows: readonly Row[], chance: Random): Row[] {
  const { query } = item.question
  const { decimals } = item.chart.topic
  const right = item.question.answer[0]
  const places = chance.shuffle(rows.map((_, place) => place))
  const swaps = places.flatMap((left) => places.filter((other) => other > left).map((other) => [left, other] as const))
  for (const [left, other] of swaps) {
    const copy = swapped(rows, left, other)
    if (solve(query, copy, decimals) !== right) return copy
  }
  // Swapping never changes a count: one bar is taken for the one beside the line instead.
  const nudge = query.kind === 'count_above' ? query.threshold : 0
  const off = chance.pick([-1, 1])
  const moved = rows.map((row, place) =>
    place === places[0] ? { ...row, value: nudge + off * item.chart.axis.step * 0.2 } : row,
  )
  if (solve(query, moved, decimals) !== right) return moved
  return moved.map((row, place) =>
    place === places[0] ? { ...row, value: nudge - off * item.chart.axis.step * 0.2 } : row,
  )
}

function swapped(rows: readonly Row[], left: number, other: number): Row[] {
  return rows.map((row, place) => {
    if (place === left) return { label: row.label, value: rows[other]?.value ?? row.value }
    return place === other ? { label: row.label, value: rows[left]?.value ?? row.value } : row
  })
}

function goodCall(chance: Random): string {
  const task = chance.chance(0.75) ? 'to_table' : 'extract_data'
  const given = chance.chance(0.25) ? { task, image_index: 0 } : { task }
  return JSON.stringify({ name: 'chart_to_table', arguments: given })
}

function badCall(chance: Random): string {
  return chance.pick([
    JSON.stringify({ name: 'chart_to_table', arguments: { task: 'to_table', image: 'image_0' } }),
    JSON.stringify({ name: 'chart_to_table', arguments: { prompt: 'convert the chart to a table' } }),
    JSON.stringify({ name: 'chart_to_table', arguments: { task: 'table' } }),
    JSON.stringify({ name: 'chart_to_table', arguments: { task: 'to_table', image_index: 1 } }),
    JSON.stringify({ name: 'chart_to_table', arguments: 'to_table' }),
    JSON.stringify({ name: 'ocr', arguments: { task: 'recognize_only' } }),
    '{"name": "chart_to_table", "arguments": {"task": "to_table"}',
    "{'name': 'chart_to_table', 'arguments': {'task': 'to_table'}}",
  ])
}

function writtenAnswer(answer: string, item: GymItem, chance: Random): string {
  const { unit } = item.chart.topic
  const { answer_type: type, choices } = item.question
  const value = Number(answer)
  if (type === 'numeric' && Number.isFinite(value) && item.question.query.kind !== 'count_above') {
    const grouped = groupedText(value, item.chart.topic.decimals)
    return chance.pick([answer, answer, grouped, unit === '' ? answer : `${grouped} ${unit}`])
  }
  if (type === 'yes_no') return chance.pick([answer, answer.charAt(0).toUpperCase() + answer.slice(1)])
  const letter = choices?.indexOf(answer) ?? -1
  if (letter >= 0 && chance.chance(0.2)) return String.fromCharCode('A'.charCodeAt(0) + letter)
  return chance.pick([answer, answer, `${answer}.`])
}

function malformedTurn(thought: string, written: string, chance: Random): string {
  return chance.pick([
    `${thought} <answer>${written}</answer>`,
    `<think>${thought}<answer>${written}</answer>`,
    `<think>${thought}</think><answer>${written}`,
    `<think>${thought}</think>The answer is ${written}.`,
    `<think>${thought} <answer>${written}</answer></think>`,
    `Sure! <think>${thought}</think><answer>${written}</answer>`,
  ])
}

/** Moderate, severe or extreme; the last never finds its way out and is cut by the token limit. */
function stuckTurn(thought: string, written: string, chance: Random): string {
  const times = chance.pick([6, 6, 12, 400])
  const stuck = stuckThought(times, chance)
  return times === 400 ? `<think>${thought} ${stuck}` : `<think>${thought} ${stuck}</think><answer>${written}</answer>`
}
