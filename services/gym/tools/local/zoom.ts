import { pictureOf } from './request-picture.ts'
import { ToolFailure, type LocalTool, type Pixels } from '#services/gym/tools/tool.ts'

/** The enlarged part is brought to at least this many pixels on its longer side. */
const longSide = 640
const smallest = 8

/** A part of the picture enlarged, or all of it turned. */
export const zoom: LocalTool = (request) => {
  const pixels = pictureOf(request)
  if (request.task === 'image_rotate_tool') {
    const angle = Number(request.arguments['angle'])
    const quarters = (((angle / 90) % 4) + 4) % 4
    let image = pixels
    for (let turn = 0; turn < quarters; turn++) image = quarterTurn(image)
    return Promise.resolve(said(image, [0, 0, pixels.width, pixels.height], `turned by ${angle} degrees`))
  }
  const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = request.arguments['bbox_2d'] as readonly number[]
  const left = Math.max(0, Math.floor(Math.min(x0, x1)))
  const top = Math.max(0, Math.floor(Math.min(y0, y1)))
  const right = Math.min(pixels.width, Math.ceil(Math.max(x0, x1)))
  const bottom = Math.min(pixels.height, Math.ceil(Math.max(y0, y1)))
  if (right - left < smallest || bottom - top < smallest) {
    const size = `${pixels.width} x ${pixels.height}`
    throw new ToolFailure(
      'InvalidInput',
      `the box is less than ${smallest} pixels wide or high in the picture of ${size}`,
    )
  }
  const factor = Math.min(8, Math.max(1, Math.floor(longSide / Math.max(right - left, bottom - top))))
  return Promise.resolve(
    said(enlarged(pixels, [left, top, right, bottom], factor), [left, top, right, bottom], `enlarged ${factor} times`),
  )
}

function said(image: Pixels, box: readonly number[], what: string) {
  const { width, height } = image
  const text = `The part [${box.join(', ')}] ${what}, as a new picture of ${width} x ${height} pixels.`
  return { text, output: { width, height, box: [...box] }, images: [image] }
}

/** Between the pixels (bilinear), so that letters stay letters. */
function enlarged(
  { width, data }: Pixels,
  [left, top, right, bottom]: readonly [number, number, number, number],
  factor: number,
): Pixels {
  const [wide, high] = [(right - left) * factor, (bottom - top) * factor]
  const out = new Uint8Array(wide * high * 4)
  for (let y = 0; y < high; y++) {
    const fromY = Math.min(bottom - 1, Math.max(top, top + (y + 0.5) / factor - 0.5))
    const [y0, dy] = [Math.floor(fromY), fromY % 1]
    const y1 = Math.min(bottom - 1, y0 + 1)
    for (let x = 0; x < wide; x++) {
      const fromX = Math.min(right - 1, Math.max(left, left + (x + 0.5) / factor - 0.5))
      const [x0, dx] = [Math.floor(fromX), fromX % 1]
      const x1 = Math.min(right - 1, x0 + 1)
      for (let channel = 0; channel < 4; channel++) {
        const at = (column: number, row: number): number => data[(row * width + column) * 4 + channel] ?? 255
        const upper = at(x0, y0) * (1 - dx) + at(x1, y0) * dx
        const lower = at(x0, y1) * (1 - dx) + at(x1, y1) * dx
        out[(y * wide + x) * 4 + channel] = Math.round(upper * (1 - dy) + lower * dy)
      }
    }
  }
  return { width: wide, height: high, data: out }
}

function quarterTurn({ width, height, data }: Pixels): Pixels {
  const out = new Uint8Array(data.length)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [from, to] = [(y * width + x) * 4, (x * height + height - 1 - y) * 4]
      out.set(data.subarray(from, from + 4), to)
    }
  }
  return { width: height, height: width, data: out }
}
