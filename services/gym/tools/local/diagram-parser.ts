import { pictureOf } from './request-picture.ts'
import { readArrows } from '#services/gym/drawings/arrows.ts'
import { groundOf } from '#services/gym/drawings/ink.ts'
import { readCircuit } from '#services/gym/drawings/circuit.ts'
import { ToolFailure, type LocalTool, type Pixels, type ReadText } from '#services/gym/tools/tool.ts'
import type { Box } from '#services/gym/items/item.ts'

/** Boxes with arrows, or a circuit, as a graph. */
export const diagramParser: LocalTool = async (request, readText) => {
  const pixels = pictureOf(request)
  return request.task === 'circuit' ? circuit(pixels) : graph(pixels, readText)
}

async function graph(pixels: Pixels, readText: ReadText): ReturnType<LocalTool> {
  const { boxes, arrows } = readArrows(pixels)
  if (boxes.length === 0) throw new ToolFailure('NoDiagram', 'no closed box was found in the picture')
  const texts = await readText(insidesOf(pixels, boxes), { regions: boxes })
  const labels = boxes.map((box) => {
    const inside = texts
      .filter((text) => isInside(text.box, box))
      .toSorted((a, b) => a.box[1] - b.box[1] || a.box[0] - b.box[0])
    return inside.map(({ text }) => text).join(' ')
  })
  // A frame around other boxes bears no name of its own.
  const kept = labels.flatMap((label, place) => (label === '' ? [] : [place]))
  const nodes = kept.map((place) => ({
    id: `n${place}`,
    label: labels[place] ?? '',
    box: [...(boxes[place] ?? [0, 0, 0, 0])],
  }))
  const links = arrows
    .filter(({ from, to }) => kept.includes(from) && kept.includes(to))
    .map(({ from, to }) => ({ from: labels[from] ?? '', to: labels[to] ?? '' }))
  const text = [
    `boxes: ${nodes.map(({ label }) => label).join('; ')}`,
    `arrows: ${links.map(({ from, to }) => `${from} -> ${to}`).join('; ')}`,
  ]
  return { text: text.join('\n'), output: { nodes, arrows: links } }
}

/** Frames inside the boxes are left out by this many pixels. */
const rim = 8

/** What is written inside the boxes, dark on white, and nothing else: frames and fills would be read as signs. */
function insidesOf(pixels: Pixels, boxes: readonly Box[]): Pixels {
  const data = new Uint8Array(pixels.data.length).fill(255)
  for (const [left, top, right, bottom] of boxes) {
    const [width, height] = [right - left - 2 * rim, bottom - top - 2 * rim]
    if (width < 1 || height < 1) continue
    const part = new Uint8Array(width * height * 4)
    const start = (row: number): number => ((top + rim + row) * pixels.width + left + rim) * 4
    for (let row = 0; row < height; row++)
      part.set(pixels.data.subarray(start(row), start(row) + width * 4), row * width * 4)
    const fill = groundOf({ width, height, data: part })
    for (let row = 0; row < height; row++) {
      for (let at = 0; at < width * 4; at += 4) {
        const far = [0, 1, 2].map((channel) =>
          Math.abs((part[row * width * 4 + at + channel] ?? 0) - (fill[channel] ?? 0)),
        )
        data.fill(255 - Math.round(Math.max(...far)), start(row) + at, start(row) + at + 3)
      }
    }
  }
  return { width: pixels.width, height: pixels.height, data }
}

async function circuit(pixels: Pixels): ReturnType<LocalTool> {
  const components = readCircuit(pixels)
  if (components.length === 0)
    throw new ToolFailure('NoDiagram', 'no component between two wires was found in the picture')
  const lines = components.map(({ kind, value, nets: [from, to] }) => {
    const unit = kind === 'source' ? 'V' : 'ohm'
    return `${kind} ${value ?? '?'} ${unit} between net ${from} and net ${to}`
  })
  return {
    text: lines.join('\n'),
    output: { components: components.map((each) => ({ ...each, nets: [...each.nets] })) },
  }
}

function isInside(inner: Box, [left, top, right, bottom]: Box): boolean {
  const [x, y] = [(inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2]
  return x >= left && x < right && y >= top && y < bottom
}
