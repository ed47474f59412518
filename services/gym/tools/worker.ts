/** The thread that local tools run in: one job at a time, so that a hang or a crash costs one call. */
import { parentPort, workerData } from 'node:worker_threads'
import { encode } from 'fast-png'
import { decodedPng } from '#services/gym/picture/decode.ts'
import type { ToolJob, ToolMessage } from './job.ts'
import { textReader } from './local/read-text.ts'
import { localTools } from './local-tools.ts'
import { ToolFailure, type LocalTool } from './tool.ts'

const reader = textReader()

async function toolNamed(name: string): Promise<LocalTool> {
  // Tests plant tools that hang, crash and throw: a module that adds to those that are there.
  const planted = (workerData as { planted?: string } | null)?.planted
  const more =
    planted === undefined ? {} : ((await import(planted)) as { tools: Readonly<Record<string, LocalTool>> }).tools
  const tool = more[name] ?? (await localTools[name]?.())
  if (tool === undefined) throw new ToolFailure('NotAvailable', `${name} does not run here`)
  return tool
}

async function answered(job: ToolJob): Promise<ToolMessage> {
  try {
    const tool = await toolNamed(job.tool)
    const images = job.images.map(decodedPng)
    const { task, arguments: values, question, choices } = job
    const said = await tool({ task, arguments: values, images, question, choices }, reader.readText)
    const made = (said.images ?? []).map(({ width, height, data }) => encode({ width, height, data, channels: 4 }))
    return { kind: 'said', id: job.id, said: { text: said.text, output: said.output, images: made } }
  } catch (error) {
    const type = error instanceof ToolFailure ? error.error_type : 'ToolCrash'
    const message = error instanceof Error ? error.message : String(error)
    return { kind: 'failed', id: job.id, error_type: type, message: message.slice(0, 2000) }
  }
}

parentPort?.on('message', (job: ToolJob) => {
  void answered(job).then((message) => parentPort?.postMessage(message))
})
parentPort?.postMessage({ kind: 'ready' } satisfies ToolMessage)
