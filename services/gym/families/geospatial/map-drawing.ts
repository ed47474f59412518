import { mapLevels } from './map-scene.ts'
import { element, specks, svgPicture, text, textWidth, wholeBox } from '#services/gym/picture/svg.ts'
import { random } from '#services/gym/random.ts'
import type { MapScene } from './map-scene.ts'
import type { Box, ItemRequest } from '#services/gym/items/item.ts'

/** A map as SVG, with the boxes of its regions and of the legend's entries. */
export type DrawnMap = { readonly svg: string; readonly regions: readonly Box[]; readonly entries: readonly Box[] }

export function drawnMap(map: MapScene, request: ItemRequest): DrawnMap {
  const { look, width, height } = map
  const noise = random(request.seed, request.split, request.index, 'noise')
  const clutter = mapLevels[request.level]?.clutter ?? 0
  const land = map.regions.map((region) => {
    const [x0, y0] = map.origin
    const path = region.shape.outline.map(([x, y]) => `${(x + x0).toFixed(1)},${(y + y0).toFixed(1)}`).join(' ')
    return element('polygon', {
      points: path,
      fill: look.palette[region.class],
      stroke: look.border,
      'stroke-width': 2,
      'stroke-linejoin': 'round',
    })
  })
  const names = map.regions.map((region) =>
    text(region.name, {
      x: region.shape.centre[0] + map.origin[0],
      y: region.shape.centre[1] + map.origin[1] + look.size * 0.35,
      size: look.size,
      family: look.family,
      anchor: 'middle',
      fill: '#1c1c1c',
    }),
  )
  const legend = drawnLegend(map)
  const title = `${map.measure} in ${map.country}`
  const svg = svgPicture(
    width,
    height,
    look.sea,
    clutter > 0 ? specks(noise, width, height, clutter * 0.5) : '',
    text(title, {
      x: look.titleFirst ? 24 : width / 2,
      y: 36,
      size: 21,
      family: look.family,
      weight: 700,
      anchor: look.titleFirst ? 'start' : 'middle',
    }),
    text(map.unit === '' ? 'Invented land, by region' : `Invented land, by region, ${map.unit}`, {
      x: look.titleFirst ? 24 : width / 2,
      y: 58,
      size: 14,
      family: look.family,
      anchor: look.titleFirst ? 'start' : 'middle',
      fill: '#555555',
    }),
    ...land,
    ...names,
    ...legend.parts,
  )
  return {
    svg,
    regions: map.regions.map((region) => regionBox(region.shape.outline, map.origin)),
    entries: legend.boxes,
  }
}

function drawnLegend(map: MapScene): { parts: string[]; boxes: Box[] } {
  const { look, width, height } = map
  const side = 20
  const labelled = { size: 15, family: look.family }
  const order = [...map.classes.keys()]
  if (!look.legendDown && look.legend !== 'bottom') order.reverse()
  const widest = Math.max(...map.classes.map((words) => textWidth(words, labelled))) + side + 26
  const parts: string[] = []
  const boxes: Box[] = []
  const perRow = look.legend === 'bottom' ? Math.max(1, Math.floor((width - 60) / widest)) : 1
  for (const [place, klass] of order.entries()) {
    const x =
      look.legend === 'bottom' ? 34 + (place % perRow) * widest : look.legend === 'right' ? width - widest - 8 : 22
    const y =
      look.legend === 'bottom'
        ? height - 78 + Math.floor(place / perRow) * 34
        : height / 2 - (order.length * 34) / 2 + 40 + place * 34
    const words = map.classes[klass] ?? ''
    parts.push(
      element('rect', {
        x,
        y,
        width: side,
        height: side,
        fill: look.palette[klass],
        stroke: look.border,
        'stroke-width': 1.5,
      }),
      text(words, { x: x + side + 10, y: y + 15.5, fill: '#222222', ...labelled }),
    )
    boxes[klass] = wholeBox(x, y, x + side + 10 + textWidth(words, labelled), y + side)
  }
  return { parts, boxes }
}

function regionBox(outline: readonly (readonly [number, number])[], origin: readonly [number, number]): Box {
  const xs = outline.map(([x]) => x + origin[0])
  const ys = outline.map(([, y]) => y + origin[1])
  return wholeBox(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys))
}
