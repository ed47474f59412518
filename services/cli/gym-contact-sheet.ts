/** `stepstore gym contact-sheet`: many items of a family in one picture, to look through. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { misuse } from '#services/config.ts'
import { contactSheet, sheetItemsMax } from '#services/gym/items/contact-sheet.ts'
import { kinds } from '#services/gym/items/families.ts'
import { generatedItem } from '#services/gym/items/generated.ts'
import { chosenInStream, familiesOf, wordOf } from '#services/gym/items/kinds.ts'
import type { Command } from './command.ts'

export const gymContactSheet: Command = {
  spec: {
    name: 'gym contact-sheet',
    summary: 'Draws items of a family into one PNG, each with its question and answer.',
    positionals: '',
    count: [0, 0],
    options: {
      families: { value: 'LIST', description: 'a family, several parted by commas, or all (default)' },
      out: { value: 'DIR', description: 'the folder to write into; it is made where it is not there' },
      items: { value: 'N', description: `how many, 1 to ${sheetItemsMax} (default 20)` },
      seed: { value: 'N', description: 'default 1' },
      split: { value: 'S', description: 'train or test (default)' },
      style: { value: 'S', description: 'ordinary (default), or unseen: fonts and styles that no tool was tuned on' },
      level: { value: 'N', description: 'default: all levels in turn' },
      evidence: { description: 'draw the boxes that each answer rests on' },
    },
    examples: [
      'stepstore gym contact-sheet --families chart --out sheets',
      'stepstore gym contact-sheet --style unseen --out sheets',
    ],
  },
  run: async ({ args, terminal, json }) => {
    const out = args.text('out')
    if (out === undefined) throw misuse('gym contact-sheet needs --out', 'see: stepstore gym contact-sheet --help')
    const count = args.integer('items') ?? 20
    if (count < 1 || count > sheetItemsMax)
      throw misuse(`--items ${count} is not possible`, `use 1 to ${sheetItemsMax}`)
    const style = wordOf('style', args.text('style') ?? 'ordinary')
    const split = wordOf('split', args.text('split') ?? 'test')
    const level = args.integer('level')
    const seed = args.integer('seed') ?? 1
    const evidence = args.flag('evidence')
    await mkdir(out, { recursive: true })
    const files: string[] = []
    for (const family of familiesOf(args.text('families') ?? 'all')) {
      const choice = { families: [family], seed, split, style, ...(level === undefined ? {} : { level }) }
      const round = kinds.filter((kind) => kind.family === family).length
      const items = Array.from({ length: count }, (_, index) => {
        const { kind, request } = chosenInStream(kinds, choice, index)
        // One more after each round of kinds, so that a short sheet shows every kind on several levels.
        const turn = ((index % round) + Math.floor(index / round)) % kind.levels.length
        return generatedItem({ kind, request: { ...request, level: level ?? turn } })
      })
      const file = join(out, `${family}${style === 'unseen' ? '-unseen' : ''}${evidence ? '-evidence' : ''}.png`)
      await writeFile(file, contactSheet(items, { evidence }).bytes)
      files.push(file)
      if (!json) terminal.out(`${file}  ${count} items\n`)
    }
    if (json) terminal.out(`${JSON.stringify({ files })}\n`)
    return 0
  },
}
