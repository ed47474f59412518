import type { Pixels } from '#services/gym/tools/tool.ts'

/** A connected area of pixels: how many, and the box around them (right and bottom outside). */
export type Area = { count: number; left: number; top: number; right: number; bottom: number }

/** Which area each pixel belongs to, from 0; -1 belongs to none. */
export type Areas = { readonly label: Int32Array; readonly areas: readonly Area[] }

/** Areas whose neighbouring pixels (4 sides) differ by at most `tolerance` in each channel, so a slow blend is one area. */
export function flatAreas({ width, height, data }: Pixels, tolerance: number): Areas {
  const near = (left: number, right: number): boolean => {
    const [a, b] = [left * 4, right * 4]
    return (
      Math.abs((data[a] ?? 0) - (data[b] ?? 0)) <= tolerance &&
      Math.abs((data[a + 1] ?? 0) - (data[b + 1] ?? 0)) <= tolerance &&
      Math.abs((data[a + 2] ?? 0) - (data[b + 2] ?? 0)) <= tolerance
    )
  }
  return connected(width, height, () => true, near, false)
}

/** Areas of the pixels of a mask that touch one another, corners included. */
export function maskAreas(mask: Uint8Array, width: number, height: number): Areas {
  return connected(
    width,
    height,
    (pixel) => mask[pixel] === 1,
    () => true,
    true,
  )
}

/** Two passes with union-find over a width x height grid. */
function connected(
  width: number,
  height: number,
  counts: (pixel: number) => boolean,
  joined: (left: number, right: number) => boolean,
  corners: boolean,
): Areas {
  const parent = new Int32Array(width * height).fill(-1)
  const root = (pixel: number): number => {
    let at = pixel
    while (parent[at] !== at) {
      const up = parent[parent[at] ?? 0] ?? 0
      parent[at] = up
      at = up
    }
    return at
  }
  const join = (left: number, right: number): void => {
    if ((parent[right] ?? -1) < 0 || !joined(left, right)) return
    const [a, b] = [root(left), root(right)]
    // The lower place is the root: labels come out in reading order whatever the shapes.
    if (a < b) parent[b] = a
    else if (b < a) parent[a] = b
  }
  for (let y = 0, pixel = 0; y < height; y++) {
    for (let x = 0; x < width; x++, pixel++) {
      if (!counts(pixel)) continue
      parent[pixel] = pixel
      if (x > 0) join(pixel, pixel - 1)
      if (y === 0) continue
      join(pixel, pixel - width)
      if (corners && x > 0) join(pixel, pixel - width - 1)
      if (corners && x + 1 < width) join(pixel, pixel - width + 1)
    }
  }
  return labelled(parent, root, width)
}

function labelled(parent: Int32Array, root: (pixel: number) => number, width: number): Areas {
  const label = new Int32Array(parent.length).fill(-1)
  const areas: Area[] = []
  for (let pixel = 0; pixel < parent.length; pixel++) {
    if ((parent[pixel] ?? -1) < 0) continue
    const first = root(pixel)
    const [x, y] = [pixel % width, Math.floor(pixel / width)]
    if (first === pixel) {
      label[pixel] = areas.length
      areas.push({ count: 1, left: x, top: y, right: x + 1, bottom: y + 1 })
      continue
    }
    const place = label[first] ?? 0
    label[pixel] = place
    const area = areas[place]
    if (area === undefined) continue
    area.count++
    if (x < area.left) area.left = x
    if (x >= area.right) area.right = x + 1
    area.bottom = y + 1
  }
  return { label, areas }
}
