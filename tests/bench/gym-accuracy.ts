/**
 * npm run gym:accuracy -- [--items n] [--families a,b] [--seed n] [--out file] [--wrong]
 *
 * How well the experts solve the gym's test items with local tools alone, how well one does by guessing, and how right each
 * tool is by itself; with ordinary fonts and styles, and with those that no tool was tuned on. Writes a Markdown table.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { experts, kinds } from '#services/gym/items/families.ts'
import { generatedItem } from '#services/gym/items/generated.ts'
import { checkedAnswer, type AnswerKey } from '#services/gym/loop/answer-check.ts'
import { openTools } from '#services/gym/tools/open.ts'
import type { ItemKind, Style } from '#services/gym/items/item.ts'
import type { ExpertHeard } from '#services/gym/policies/policy.ts'
import type { CallResult, Tools } from '#services/gym/tools/tools.ts'
import { guessed, guessedItems } from './gym-tools/guessing.ts'
import { toolAccuracies, type ToolAccuracy } from './gym-tool-accuracy.ts'
import type { Share } from './gym-tools/tally.ts'

const USAGE = `npm run gym:accuracy -- [options]
  How right the experts and the tools are on test items, as a table in Markdown.

  --items N        items of each kind and style, and pictures for each tool (default 8)
  --families LIST  such as chart,document (default all)
  --seed N         default 7
  --out FILE       where the table goes (default services/gym/docs/accuracy.md)
  --wrong          print what was answered wrong`

const styles = ['ordinary', 'unseen'] as const

type KindRow = {
  readonly kind: ItemKind
  readonly by: Readonly<Record<Style, Share>>
  readonly guess: Share
  readonly calls: number
}

const { values } = parseArgs({
  options: {
    items: { type: 'string', default: '8' },
    families: { type: 'string', default: 'all' },
    seed: { type: 'string', default: '7' },
    out: { type: 'string', default: 'services/gym/docs/accuracy.md' },
    wrong: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.log(USAGE)
  process.exit(0)
}
const items = wholeNumber('items', values.items)
const seed = wholeNumber('seed', values.seed)
const chosen = kinds.filter(({ family }) => values.families === 'all' || values.families.split(',').includes(family))
if (chosen.length === 0) throw new RangeError(`there is no family ${values.families}`)

let drawn_ms = 0
let drawn = 0
const tools = openTools({ cacheBytesMax: 0 })
const rows: KindRow[] = []
for (const kind of chosen) {
  const before = { drawn, drawn_ms }
  const ordinary = await solved(kind, 'ordinary')
  const unseen = await solved(kind, 'unseen')
  const guess = guessed(kind, seed)
  rows.push({ kind, by: { ordinary: ordinary.solved, unseen: unseen.solved }, guess, calls: ordinary.calls / items })
  const rate = Math.round(((drawn - before.drawn) / (drawn_ms - before.drawn_ms)) * 1000)
  console.log(
    `${kind.kind}: ${share(ordinary.solved)} ordinary, ${share(unseen.solved)} unseen, ${share(guess)} guessed; ${rate} pictures/s made`,
  )
}
const byTool = await toolAccuracies(tools, { pictures: items, seed })
await tools.close()
for (const { tool, family, what, by } of byTool)
  console.log(`${tool}, ${family}: ${what}: ${share(by.ordinary)} ordinary, ${share(by.unseen)} unseen`)
console.log(`${Math.round((drawn / drawn_ms) * 1000)} pictures/s, scenes and PNG, in one thread`)
mkdirSync(dirname(values.out), { recursive: true })
writeFileSync(values.out, report(rows, byTool))
console.log(`written to ${values.out}`)

async function solved(kind: ItemKind, style: Style): Promise<{ solved: Share; calls: number }> {
  let [right, calls] = [0, 0]
  for (let index = 0; index < items; index++) {
    const began = performance.now()
    const item = generatedItem({
      kind,
      request: { seed, split: 'test', index, level: index % kind.levels.length, style },
    })
    drawn_ms += performance.now() - began
    drawn++
    const picture = { sha256: item.picture.sha256, bytes: item.picture.bytes }
    const played = await answered(tools, kind, item.question, item.key, picture)
    calls += played.calls.length
    const isRight = checkedAnswer(played.answer, item.key).answer_match
    if (isRight) right++
    else if (values.wrong) {
      console.log(`  ${item.item_id}: ${item.question} - said ${played.answer}, right is ${item.key.answer[0]}`)
      for (const { tool, task, observation } of played.calls)
        console.log(`    ${tool}.${task}: ${observation.slice(0, 300).replaceAll('\n', ' / ')}`)
    }
  }
  return { solved: { right, of: items }, calls }
}

/** Plays as the gym does: question, choices and what the tools said; at most two calls, then an answer. */
async function answered(
  { call }: Tools,
  kind: ItemKind,
  question: string,
  key: AnswerKey,
  picture: { readonly sha256: string; readonly bytes: Uint8Array },
): Promise<{ answer: string; calls: CallResult[] }> {
  const expert = experts[kind.family]
  if (expert === undefined) throw new RangeError(`the family ${kind.family} has no expert`)
  const choices = key.choices ?? []
  const images = new Map([[picture.sha256, picture.bytes]])
  const calls: CallResult[] = []
  const heard: ExpertHeard[] = []
  for (;;) {
    const move = expert(question, choices, heard)
    if ('answer' in move) return { answer: move.answer, calls }
    if (calls.length === 2) return { answer: '', calls }
    const written = { tool: move.tool, task: move.task, arguments: move.arguments }
    const result = await call(written, { images, question, choices })
    calls.push(result)
    heard.push({ tool: move.tool, task: move.task, text: result.observation, ok: result.status === 'ok' })
  }
}

function share({ right, of }: Share): string {
  return of === 0 ? '' : `${((right / of) * 100).toFixed(0)} % of ${of}`
}

function sum(list: readonly Share[]): Share {
  return {
    right: list.reduce((total, { right }) => total + right, 0),
    of: list.reduce((total, { of }) => total + of, 0),
  }
}

function report(all: readonly KindRow[], measured: readonly ToolAccuracy[]): string {
  const families = [...new Set(all.map(({ kind }) => kind.family))]
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const totals = (name: string, of: readonly KindRow[]): string =>
    line([
      name,
      '',
      ...styles.map((style) => `**${share(sum(of.map(({ by }) => by[style])))}**`),
      `**${share(sum(of.map(({ guess }) => guess)))}**`,
      '',
    ])
  return [
    '# How well the experts and the tools do',
    '',
    `Made by \`npm run gym:accuracy -- --items ${items} --seed ${seed}\`: ${items} test items of each kind, all levels in turn. The experts are`,
    'rules over what local tools read from the pixels; they never see a scene. "Unseen" is drawn with fonts, colours and styles of its',
    "own. Its pictures were looked at to see that a person can read them, and no parameter of a tool was chosen on them; two of the readers'",
    'rules were checked against misread unseen items. "Guessing" looks at nothing: a choice at random, or else the answer most often right',
    `among ${guessedItems} training items of the kind and type of answer, on ${guessedItems} test items a kind.`,
    '',
    line(['Family', 'Kind', 'Ordinary', 'Unseen', 'Guessing', 'Calls']),
    line(['---', '---', '--:', '--:', '--:', '--:']),
    ...families.flatMap((family) => {
      const of = all.filter(({ kind }) => kind.family === family)
      return [
        ...of.map(({ kind, by, guess, calls }) =>
          line([family, kind.kind, share(by.ordinary), share(by.unseen), share(guess), calls.toFixed(1)]),
        ),
        totals(`**${family}**`, of),
      ]
    }),
    totals('**all**', all),
    '',
    '## The tools by themselves',
    '',
    `Each tool that runs here, against the scene that its picture was drawn from; ${items} pictures of each family, kind or form of chart.`,
    'IoU is the share of two boxes that both hold; "to the letter" counts blanks and signs. `sam2` is `sam` under another name. What',
    'rests on words or numbers alone has no style of drawing and stands under "Ordinary".',
    '',
    line(['Tool', 'Family', 'What', 'Ordinary', 'Unseen']),
    line(['---', '---', '---', '--:', '--:']),
    ...measured
      .toSorted((a, b) => (a.tool < b.tool ? -1 : a.tool > b.tool ? 1 : 0))
      .map(({ tool, family, what, by }) => line([tool, family, what, share(by.ordinary), share(by.unseen)])),
    '',
  ].join('\n')
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`--${name} is a whole number from 1, not ${text}`)
  return value
}
