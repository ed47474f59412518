import { circuit, totalOhms } from './circuit.ts'
import { drawnCircuit } from './circuit-drawing.ts'
import { drawnWeb } from './food-web-drawing.ts'
import { foodWeb, webQuestion } from './food-web.ts'
import { habitats } from './organisms.ts'
import { random } from '#services/gym/random.ts'
import type { ItemKind, ItemRequest, Scene } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'

const attemptsMax = 200

const webLevels = [
  { rows: '2 2 1', spare_arrows: 0, asks: 'food eater producer top' },
  { rows: '2 3 2', spare_arrows: 1, asks: 'food eater only-food' },
  { rows: '2 3 2 1', spare_arrows: 2, asks: 'eater only-food change' },
] as const

const circuitLevels = [
  { plan: 'series', asks: 'resistance' },
  { plan: 'parallel', asks: 'resistance' },
  { plan: 'mixed', asks: 'resistance or current' },
] as const

type Stream = (purpose: string) => Random

function attempts(kind: string, request: ItemRequest, tried: (stream: Stream) => Scene | null): Scene {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const scene = tried((purpose) =>
      random(request.seed, request.split, kind, request.index, purpose, request.level, attempt),
    )
    if (scene) return scene
  }
  throw new RangeError(`${kind} found no drawing in ${attemptsMax} attempts`)
}

const web: ItemKind = {
  kind: 'scientific/food-web',
  family: 'scientific',
  dataset: 'stepstore-scienceqa',
  levels: webLevels,
  make(request) {
    const level = webLevels[request.level]
    if (!level) throw new RangeError(`${web.kind} has levels 0 to ${webLevels.length - 1}`)
    return attempts(web.kind, request, (stream) => {
      const counts = level.rows.split(' ').map(Number)
      const drawn = foodWeb(stream('habitat').pick(habitats[request.split]), counts, level.spare_arrows, stream('web'))
      if (!drawn) return null
      const wording = stream('wording')
      const asked = webQuestion(drawn, wording.pick(level.asks.split(' ')), wording)
      const picture = asked && drawnWeb(drawn, request.style, stream('layout'))
      if (!asked || !picture) return null
      return {
        svg: picture.svg,
        question: asked.question,
        key: { answer: [asked.answer], answer_type: 'choice', choices: asked.choices },
        evidence: [...picture.boxes].map(([what, box]) => ({ what, box })),
        scene: { ...drawn, asks: asked.asks },
      }
    })
  },
}

const circuits: ItemKind = {
  kind: 'scientific/circuit',
  family: 'scientific',
  dataset: 'stepstore-ai2d-circuits',
  levels: circuitLevels,
  make(request) {
    const level = circuitLevels[request.level]
    if (!level) throw new RangeError(`${circuits.kind} has levels 0 to ${circuitLevels.length - 1}`)
    return attempts(circuits.kind, request, (stream) => circuitScene(level.plan, request, stream))
  },
}

function circuitScene(
  plan: (typeof circuitLevels)[number]['plan'],
  request: ItemRequest,
  stream: Stream,
): Scene | null {
  const drawn = circuit(plan, request.split, stream('values'))
  const wording = stream('wording')
  const current = plan === 'mixed' && wording.chance(0.5)
  const exact = current ? drawn.volts / totalOhms(drawn) : totalOhms(drawn)
  // A value near the middle of two hundredths could be rounded either way.
  if (exact < 0.1 || Math.abs(((exact * 100) % 1) - 0.5) < 0.05) return null
  const rounded = Number(exact.toFixed(2))
  const rounding = Math.abs(rounded - exact) < 1e-9 ? '' : ' Round to two decimal places.'
  const asked = current
    ? wording.pick([
        'What current flows through the source, in amperes?',
        'Find the current that the source delivers, in amperes.',
      ])
    : wording.pick([
        'What is the total resistance of the circuit, in ohms?',
        'Find the resistance that the source sees, in ohms.',
      ])
  return {
    ...drawnCircuit(drawn, request.style, stream('layout')),
    question: `${asked}${rounding}`,
    key: { answer: [String(rounded)], answer_type: 'numeric', unit: current ? 'A' : 'Ω' },
    scene: { ...drawn, asks: current ? 'current' : 'resistance', value: exact },
  }
}

/** Two kinds after ScienceQA and AI2D: food webs, and electric circuits. */
export const kinds: readonly ItemKind[] = [web, circuits]
