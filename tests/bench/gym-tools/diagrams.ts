/** How right diagrams, maps and instruments are read, and sums are worked out. */
import { kinds as geospatial } from '#services/gym/families/geospatial/index.ts'
import { kinds as others } from '#services/gym/families/others/index.ts'
import { circuitExpression } from '#services/gym/families/scientific/circuit-reduction.ts'
import { totalOhms, type Circuit } from '#services/gym/families/scientific/circuit.ts'
import { kinds as scientific } from '#services/gym/families/scientific/index.ts'
import { random } from '#services/gym/random.ts'
import { called, isNear, items, listOf, type Bench, type Made } from './tally.ts'
import type { ItemKind } from '#services/gym/items/item.ts'

/** Food webs, circuits, maps, clocks, gauges and thermometers. */
export async function measureDiagrams(bench: Bench): Promise<void> {
  const named = (kinds: readonly ItemKind[], name: string) =>
    items(
      kinds.filter(({ kind }) => kind.endsWith(name)),
      bench,
      bench.pictures,
    )
  for (const made of named(scientific, 'food-web')) await web(bench, made)
  for (const made of named(scientific, 'circuit')) await circuit(bench, made)
  for (const made of named(geospatial, 'map-class')) await map(bench, made)
  for (const made of named(others, 'clock')) await instruments(bench, made)
  for (const made of named(others, 'gauge')) await instruments(bench, made)
}

async function web(bench: Bench, { scene, picture }: Made): Promise<void> {
  const row = { tool: 'diagram_parser', family: 'scientific' } as const
  const { output } = await called(bench, picture, { tool: 'diagram_parser', task: 'graph' })
  const labels = listOf<{ label: string }>(output, 'nodes').map(({ label }) => label)
  const read = listOf<{ from: string; to: string }>(output, 'arrows').map(({ from, to }) => `${from} > ${to}`)
  const arrows = (scene.scene['arrows'] as readonly (readonly [string, string])[]).map((arrow) => arrow.join(' > '))
  for (const name of (scene.scene['rows'] as readonly (readonly string[])[]).flat())
    bench.count({ ...row, what: 'boxes with their label to the letter (graph)' }, labels.includes(name))
  for (const arrow of arrows) bench.count({ ...row, what: 'arrows found (graph)' }, read.includes(arrow))
  for (const arrow of read) bench.count({ ...row, what: 'found arrows that are there (graph)' }, arrows.includes(arrow))
}

async function circuit(bench: Bench, { scene, picture }: Made): Promise<void> {
  const row = { tool: 'diagram_parser', family: 'scientific' } as const
  const drawn = scene.scene as unknown as Circuit
  const { output } = await called(bench, picture, { tool: 'diagram_parser', task: 'circuit' })
  const components = listOf<{ kind: string; value: number | null; nets: readonly number[] }>(output, 'components')
  const left = components.map(({ kind, value }) => `${kind} ${value}`)
  const truth = [
    `source ${drawn.volts}`,
    ...drawn.sections.flatMap(({ top, rung }) => [...top, ...rung]).map((ohms) => `resistor ${ohms}`),
  ]
  for (const component of truth) {
    const place = left.indexOf(component)
    if (place >= 0) left.splice(place, 1)
    bench.count({ ...row, what: 'resistors and sources with their value (circuit)' }, place >= 0)
  }
  const words = components.map(
    ({ kind, value, nets: [from, to] }) =>
      `${kind} ${value} ${kind === 'source' ? 'V' : 'ohm'} between net ${from} and net ${to}`,
  )
  const formula = circuitExpression(words.join('\n'))?.ohms
  const total = formula === undefined ? null : await worked(bench, formula)
  bench.count(
    { ...row, what: 'circuits whose wires give the right resistance (circuit)' },
    isNear(total, totalOhms(drawn), 1e-6),
  )
}

async function worked(bench: Bench, problem: string): Promise<unknown> {
  return (await called(bench, null, { tool: 'math_solver', arguments: { problem } })).output['value'] ?? null
}

async function map(bench: Bench, { scene, picture }: Made): Promise<void> {
  const row = { tool: 'map_to_table', family: 'geospatial' } as const
  const { output } = await called(bench, picture, { tool: 'map_to_table' })
  const rows = listOf<{ region: string; class: string; borders_on: readonly string[] }>(output, 'rows')
  const classes = listOf<string>(output, 'classes')
  for (const words of scene.scene['classes'] as readonly string[])
    bench.count({ ...row, what: 'classes of the legend read to the letter' }, classes.includes(words))
  const regions = scene.scene['regions'] as readonly { name: string; class: string; neighbours: readonly string[] }[]
  for (const region of regions) {
    const read = rows.find((each) => each.region === region.name)
    bench.count({ ...row, what: 'regions named to the letter' }, read !== undefined)
    bench.count({ ...row, what: 'regions with their class' }, read?.class === region.class)
    for (const other of region.neighbours)
      bench.count({ ...row, what: 'common borders found' }, read?.borders_on.includes(other) === true)
    for (const other of read?.borders_on ?? [])
      bench.count({ ...row, what: 'found borders that are there' }, region.neighbours.includes(other))
  }
}

async function instruments(bench: Bench, { scene, picture }: Made): Promise<void> {
  const { output } = await called(bench, picture, { tool: 'instrument_reader' })
  const read = listOf<{ name: string; kind: string; reading: string }>(output, 'instruments')
  const clocks = (scene.scene['clocks'] ?? []) as readonly { place: string; hour: number; minute: number }[]
  const gauges = (scene.scene['gauges'] ?? []) as readonly { name: string; form: string; value: number }[]
  const truth = [
    ...clocks.map(({ place, hour, minute }) => ({
      name: place,
      what: 'clocks',
      reading: `${hour}:${String(minute).padStart(2, '0')}`,
    })),
    ...gauges.map(({ name, form, value }) => ({
      name,
      what: form === 'dial' ? 'gauges' : 'thermometers',
      reading: String(value),
    })),
  ]
  for (const { name, what, reading } of truth) {
    const isRight = read.some((each) => each.name === name && each.reading === reading)
    bench.count({ tool: 'instrument_reader', family: 'others', what: `${what} read, with their name` }, isRight)
  }
}

/** Sums and equations whose roots were there first; they have no picture, so no style. */
export async function measureMaths(bench: Bench): Promise<void> {
  for (let index = 0; index < bench.pictures; index++) {
    const chance = random(bench.seed, 'maths', index)
    const number = (): number => chance.int(2, 30)
    const [a, b, c, x, y] = [number(), number(), number(), chance.int(-12, 13), chance.int(1, 13)]
    const sum = await worked(bench, `1/(1/${a}+1/${b})+${c}`)
    const row = { tool: 'math_solver', family: 'all' } as const
    bench.count({ ...row, what: 'sums of reciprocals worked out' }, isNear(sum, 1 / (1 / a + 1 / b) + c, 1e-9))
    const one = await called(bench, null, { tool: 'math_solver', arguments: { problem: `${a}*x+${b}=${a * x + b}` } })
    bench.count({ ...row, what: 'linear equations solved' }, isNear(one.output['value'], x, 1e-9))
    const square = `x^2-${x + y + 20}*x+${(x + 20) * y}=0`
    const two = await called(bench, null, { tool: 'math_solver', arguments: { problem: square } })
    const roots = [...new Set([x + 20, y])].toSorted((one_, other) => one_ - other)
    const found = listOf<number>(two.output, 'roots')
    const isSolved = found.length === roots.length && roots.every((root, place) => isNear(found[place], root, 1e-9))
    bench.count({ ...row, what: 'quadratic equations solved, all roots' }, isSolved)
    const pair = `${a}*x+${b}*y=${a * x + b * y}, x-${c}*y=${x - c * y}`
    const both = (await called(bench, null, { tool: 'math_solver', arguments: { problem: pair } })).output['solution']
    const { x: foundX, y: foundY } = (both ?? {}) as Record<string, unknown>
    bench.count(
      { ...row, what: 'pairs of linear equations solved' },
      isNear(foundX, x, 1e-9) && isNear(foundY, y, 1e-9),
    )
  }
}
