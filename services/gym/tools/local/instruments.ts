import { colourAt, colourDistance, saturation, type Rgb } from './colour-distance.ts'
import { flatAreas, type Area } from './flat-areas.ts'
import { pictureOf } from './request-picture.ts'
import { scaleOf } from '#services/gym/tools/chart/words.ts'
import type { Box } from '#services/gym/items/item.ts'
import { ToolFailure, type LocalTool, type Pixels, type TextRegion } from '#services/gym/tools/tool.ts'

type Face = { readonly x: number; readonly y: number; readonly radius: number; readonly colour: Rgb; readonly box: Box }
type Instrument = { readonly kind: 'clock' | 'gauge' | 'thermometer'; readonly reading: string; readonly box: Box }
type Mark = { readonly pixel: number; readonly value: number }

/** Reads clocks, dial gauges and thermometers from their pixels: the hands' angles, or a needle or column against its labels and ticks. */
export const instruments: LocalTool = async (request, readText) => {
  const pixels = pictureOf(request)
  const { areas, label } = flatAreas(pixels, 6)
  const faces = areas.filter((area) => isFace(area, pixels)).map((area) => faceOf(area, pixels))
  const columns =
    faces.length > 0 ? [] : areas.filter((area, place) => isColumn(area, pixels, (at) => label[at] === place))
  if (faces.length + columns.length === 0)
    throw new ToolFailure('InvalidInput', 'no clock, gauge or thermometer was found')
  const texts = await readText(pixels)
  const found: Instrument[] = []
  for (const face of faces) {
    const inside = texts.filter(({ box }) => Math.hypot(middleX(box) - face.x, middleY(box) - face.y) < face.radius)
    const needle = needleAngle(pixels, face)
    const time = needle === null || handsOf(pixels, face) !== null ? clockTime(pixels, face) : null
    const gauge = time === null && needle !== null ? gaugeReading(pixels, face, needle, inside) : null
    if (time !== null) found.push({ kind: 'clock', reading: time, box: face.box })
    else if (gauge !== null) found.push({ kind: 'gauge', reading: String(gauge), box: face.box })
  }
  for (const column of columns) {
    const reading = columnReading(pixels, column, texts)
    const box: Box = [column.left, column.top, column.right, column.bottom]
    if (reading !== null) found.push({ kind: 'thermometer', reading: String(reading), box })
  }
  const named = found.map((each) => ({ ...each, box: [...each.box], name: captionOf(each.box, texts) }))
  const lines = named.map(({ name, kind, reading, box }) => `${name} | ${kind} | ${reading} [${box.join(', ')}]`)
  return {
    text: named.length === 0 ? 'No instrument could be read.' : `name | kind | reading\n${lines.join('\n')}`,
    output: { instruments: named },
  }
}

function middleX(box: Box): number {
  return (box[0] + box[2]) / 2
}

function middleY(box: Box): number {
  return (box[1] + box[3]) / 2
}

/** The words under an instrument that are nearest to it, or ''. */
function captionOf(box: Box, texts: readonly TextRegion[]): string {
  const under = texts.filter(
    (text) =>
      text.box[1] >= box[3] - 4 && Math.abs(middleX(text.box) - middleX(box)) < 80 && /\p{L}{3}/u.test(text.text),
  )
  return under.toSorted((one, other) => one.box[1] - other.box[1])[0]?.text.trim() ?? ''
}

/** A round flat area that is mostly filled and does not reach the edges. */
function isFace({ left, top, right, bottom, count }: Area, { width, height }: Pixels): boolean {
  const [wide, high] = [right - left, bottom - top]
  if (
    wide < 100 ||
    Math.abs(wide - high) > 0.04 * wide ||
    left < 2 ||
    top < 2 ||
    right > width - 2 ||
    bottom > height - 2
  )
    return false
  const share = count / (wide * high)
  return share > 0.5 && share < 0.8
}

function faceOf({ left, top, right, bottom }: Area, pixels: Pixels): Face {
  const [x, y, radius] = [(left + right - 1) / 2, (top + bottom - 1) / 2, (right - left) / 2]
  // A speck or a tick may lie at one place of the rim, so the colour is that of most places.
  const seen = Array.from({ length: 24 }, (_, place) => pointAt(pixels, { x, y }, place * 15 + 4, radius * 0.97))
  const [colour] = seen.toSorted((one, other) => near(seen, other) - near(seen, one))
  return { x, y, radius, colour: colour ?? [255, 255, 255], box: [left, top, right, bottom] }
}

function near(all: readonly Rgb[], one: Rgb): number {
  return all.filter((other) => colourDistance(one, other) < 10).length
}

/** The colour at an angle (clockwise from the top, in degrees) and distance from a middle. */
function pointAt(pixels: Pixels, { x, y }: { x: number; y: number }, degrees: number, reach: number): Rgb {
  const turn = (degrees * Math.PI) / 180
  return colourAt(pixels, x + Math.sin(turn) * reach, y - Math.cos(turn) * reach)
}

/** The mean angle of the pixels of a ring (shares of the radius) that `counts`, or null where they are few. */
function meanAngle(
  pixels: Pixels,
  face: Face,
  [from, to]: readonly [number, number],
  counts: (colour: Rgb, degrees: number) => boolean,
): number | null {
  let [sine, cosine, seen] = [0, 0, 0]
  for (let step = 0; step < 720; step++) {
    for (let reach = from * face.radius; reach <= to * face.radius; reach++) {
      if (!counts(pointAt(pixels, face, step / 2, reach), step / 2)) continue
      sine += Math.sin((step * Math.PI) / 360)
      cosine += Math.cos((step * Math.PI) / 360)
      seen++
    }
  }
  if (seen < 12) return null
  return ((Math.atan2(sine, cosine) * 180) / Math.PI + 360) % 360
}

function isDark(colour: Rgb, face: Face): boolean {
  return Math.max(...colour) < 120 && saturation(colour) < 50 && colourDistance(colour, face.colour) > 60
}

function turnBetween(one: number, other: number): number {
  const apart = Math.abs(one - other) % 360
  return Math.min(apart, 360 - apart)
}

/** The angles of the hands: the long one where the short one does not reach, the short one where the long one is not. */
function handsOf(pixels: Pixels, face: Face): { minute: number; hour: number } | null {
  const minute = meanAngle(pixels, face, [0.53, 0.63], (colour) => isDark(colour, face))
  // On a dial with a needle nothing dark comes near the middle.
  const root = meanAngle(pixels, face, [0.2, 0.3], (colour) => isDark(colour, face))
  if (minute === null || root === null) return null
  const hour = meanAngle(
    pixels,
    face,
    [0.3, 0.41],
    (colour, degrees) => isDark(colour, face) && turnBetween(degrees, minute) > 8,
  )
  return hour === null ? null : { minute, hour }
}

function clockTime(pixels: Pixels, face: Face): string | null {
  const hands = handsOf(pixels, face)
  if (hands === null) return null
  const minute = Math.round(hands.minute / 6) % 60
  const hours = Array.from({ length: 12 }, (_, place) => place + 1)
  const [hour = 12] = hours.toSorted(
    (one, other) => turnBetween(hands.hour, one * 30 + minute / 2) - turnBetween(hands.hour, other * 30 + minute / 2),
  )
  return `${hour}:${String(minute).padStart(2, '0')}`
}

/** The angle of a coloured needle. */
function needleAngle(pixels: Pixels, face: Face): number | null {
  return meanAngle(
    pixels,
    face,
    [0.25, 0.48],
    (colour) => saturation(colour) > 70 && colourDistance(colour, face.colour) > 60,
  )
}

/** Angles from -180 to 180, so that a scale that is open at the bottom runs on. */
function fromTop(degrees: number): number {
  return degrees > 180 ? degrees - 360 : degrees
}

function gaugeReading(pixels: Pixels, face: Face, needle: number, texts: readonly TextRegion[]): number | null {
  const marks = texts.flatMap(({ text, box }) => {
    const value = figures(text)
    const [x, y] = [middleX(box) - 0.5 - face.x, middleY(box) - 0.5 - face.y]
    const reach = Math.hypot(x, y) / face.radius
    return value === null || reach < 0.55 || reach > 0.85 ? [] : [{ pixel: (Math.atan2(x, -y) * 180) / Math.PI, value }]
  })
  const dark = Array.from({ length: 1440 }, (_, step) =>
    isDark(pointAt(pixels, face, step / 4 + 180, face.radius * 0.92), face),
  )
  const ticks = runsOf(dark).map((place) => fromTop((place / 4 + 180) % 360))
  return onTick(fromTop(needle), marks, ticks)
}

/** The middles of the runs of true. */
function runsOf(marks: readonly boolean[]): number[] {
  const middles: number[] = []
  let start = -1
  for (let place = 0; place <= marks.length; place++) {
    if (marks[place] === true && start < 0) start = place
    if (marks[place] !== true && start >= 0) {
      middles.push((start + place - 1) / 2)
      start = -1
    }
  }
  return middles
}

/** The value at a place of a scale, put on the nearest tick. */
function onTick(at: number, marks: readonly Mark[], ticks: readonly number[]): number | null {
  const scale = scaleOf(marks)
  if (scale === null) return null
  const value = (place: number): number => scale.at + scale.per_pixel * place
  const agreeing = marks.filter((mark) => Math.abs(value(mark.pixel) - mark.value) <= Math.abs(scale.per_pixel) * 3)
  const values = [...new Set(agreeing.map((mark) => mark.value))].toSorted((one, other) => one - other)
  const steps = values.slice(1).map((each, place) => each - (values[place] ?? 0))
  const labelStep = Math.min(...steps)
  const gaps = ticks.slice(1).map((each, place) => Math.abs(each - (ticks[place] ?? 0)))
  const gap = gaps.toSorted((one, other) => one - other)[Math.floor(gaps.length / 2)]
  const parts = gap === undefined ? 1 : Math.max(1, Math.round(labelStep / (gap * Math.abs(scale.per_pixel))))
  const tick = labelStep / parts
  const [first = 0] = values
  return Number((first + Math.round((value(at) - first) / tick) * tick).toFixed(6))
}

function figures(text: string): number | null {
  const plain = text.replaceAll(/[Oo]/g, '0').replaceAll(/[Il|]/g, '1').replaceAll(/[^\d]/g, '')
  return plain === '' || /[A-HJ-NP-Za-hj-kmnp-z°%]/.test(text) ? null : Number(plain)
}

/** The coloured filling of a tube with a bulb at its foot. */
function isColumn(
  { left, top, right, bottom, count }: Area,
  pixels: Pixels,
  belongs: (at: number) => boolean,
): boolean {
  const [wide, high] = [right - left, bottom - top]
  if (wide < 24 || wide > 80 || high < wide || count < wide * wide * 0.6) return false
  const [x, y] = [Math.round((left + right) / 2), Math.round(bottom - wide / 2)]
  // The bulb's middle is of the filling, never of the line around the tube.
  return belongs(y * pixels.width + x) && saturation(colourAt(pixels, x, y)) > 70
}

function columnReading(
  pixels: Pixels,
  { left, top, right, bottom }: Area,
  texts: readonly TextRegion[],
): number | null {
  const x = (left + right) / 2
  const marks = texts.flatMap(({ text, box }) => {
    const value = figures(text)
    const beside = box[0] > x + 20 && box[0] < x + 100 && middleY(box) < bottom
    return value === null || !beside ? [] : [{ pixel: middleY(box) - 0.5, value }]
  })
  // Ticks begin right of the tube: the column of pixels there with the most short dark runs.
  let ticks: readonly number[] = []
  for (let across = Math.round(x) + 14; across < x + 40; across++) {
    const dark = Array.from({ length: bottom }, (_, y) => Math.max(...colourAt(pixels, across, y)) < 150)
    const runs = runsOf(dark)
    if (runs.length > ticks.length) ticks = runs
  }
  return onTick(top - 0.5, marks, ticks)
}
