/** Tools that misbehave, for a thread of the pool to load. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ToolFailure, type LocalTool } from '#services/gym/tools/tool.ts'

const said = (output: Readonly<Record<string, unknown>>) => ({ text: JSON.stringify(output), output })

export const tools: Readonly<Record<string, LocalTool>> = {
  deepeyes: async ({ task, arguments: values, ...rest }) => {
    const how = String(values['label'])
    if (how === 'hang') for (;;);
    if (how === 'exit') process.exit(3)
    if (how === 'throw') throw new TypeError('broken inside')
    if (how === 'fail') throw new ToolFailure('InvalidInput', 'cannot be done')
    if (how === 'garbage') return said({ width: 'wide' })
    if (how === 'slow') await sleep(150)
    if (how === 'keys')
      return { text: Object.keys(rest).toSorted().join(' '), output: { width: 1, height: 1, box: [0, 0, 1, 1] } }
    return { text: `${task} ${how}`, output: { width: 1, height: 1, box: [0, 0, 1, 1] } }
  },
}
