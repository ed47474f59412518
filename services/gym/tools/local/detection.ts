import { wantedOf, type Wanted } from './phrase.ts'
import { pictureOf } from './request-picture.ts'
import { thingsIn, type Thing } from './things.ts'
import type { Box } from '#services/gym/items/item.ts'
import { ToolFailure, type LocalTool, type ReadText, type Pixels } from '#services/gym/tools/tool.ts'

type Found = { readonly phrase: string; readonly box: Box; readonly logit: number; readonly said: string }

/** Things by the words for them: colour, shape, size, material, relation, or the text that they bear. */
export const detection: LocalTool = async (request, readText) => {
  const pixels = pictureOf(request)
  const asked = wantedOf(String(request.arguments['caption']))
  if (asked.length === 0) throw new ToolFailure('InvalidInput', 'the caption names nothing')
  const least = typeof request.arguments['box_threshold'] === 'number' ? request.arguments['box_threshold'] : 0.35
  const things = asked.some(({ label }) => label === undefined) ? thingsIn(pixels) : []
  const found: Found[] = []
  for (const phrase of asked) {
    const more =
      phrase.label === undefined ? matching(phrase, things) : await labelled(phrase, phrase.label, pixels, readText)
    found.push(...more.filter(({ logit }) => logit >= least))
  }
  const output = {
    boxes: found.map(({ box }) => [...box]),
    phrases: found.map(({ phrase }) => phrase),
    logits: found.map(({ logit }) => logit),
    num_detections: found.length,
    size: [pixels.height, pixels.width],
  }
  const unknown = asked.flatMap((phrase) => phrase.unknown)
  const note = unknown.length === 0 ? '' : `\nWords that are not known here: ${unknown.slice(0, 10).join(', ')}.`
  const counts = asked.map(({ phrase }) => `${phrase}: ${found.filter((each) => each.phrase === phrase).length}`)
  const lines = found.map(({ said, box }, place) => `${place + 1}. ${said} [${box.join(', ')}]`)
  return { text: `${counts.join('\n')}${lines.length === 0 ? '' : `\n${lines.join('\n')}`}${note}`, output }
}

function matching(asked: Wanted, things: readonly Thing[]): Found[] {
  if (asked.unknown.length > 0) return []
  const { phrase, relation } = asked
  const fits = things.filter((thing) => isLike(thing, asked))
  const others = relation === undefined ? [] : things.filter((thing) => isLike(thing, relation.than))
  const kept =
    relation === undefined
      ? fits
      : fits.filter((thing) => others.some((other) => other !== thing && stands(thing, relation.side, other)))
  return kept
    .toSorted((a, b) => a.box[0] - b.box[0] || a.box[1] - b.box[1])
    .map((thing) => ({
      phrase,
      box: thing.box,
      logit: 0.9,
      said: `${thing.size} ${thing.colour} ${thing.material} ${thing.shape}`,
    }))
}

function isLike(thing: Thing, { colour, shape, size, material }: Wanted): boolean {
  return (
    (colour === undefined || thing.colour === colour) &&
    (shape === undefined || thing.shape === shape) &&
    (size === undefined || thing.size === size) &&
    (material === undefined || thing.material === material)
  )
}

/** On the ground, what stands lower in the picture is nearer. */
function stands(thing: Thing, side: NonNullable<Wanted['relation']>['side'], other: Thing): boolean {
  const [x, otherX] = [thing.box[0] + thing.box[2], other.box[0] + other.box[2]]
  if (side === 'left') return x < otherX
  if (side === 'right') return x > otherX
  if (side === 'front' || side === 'below') return thing.box[3] > other.box[3]
  return thing.box[3] < other.box[3]
}

async function labelled({ phrase }: Wanted, label: string, pixels: Pixels, readText: ReadText): Promise<Found[]> {
  const plain = (text: string): string =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, ' ')
      .trim()
  return (await readText(pixels))
    .filter(({ text }) => ` ${plain(text)} `.includes(` ${plain(label)} `))
    .map(({ text, box, confidence }) => ({ phrase, box, logit: confidence, said: `"${text}"` }))
}
