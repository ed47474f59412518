import { drawnMap } from './map-drawing.ts'
import { mapLevels, mapScene } from './map-scene.ts'
import { random } from '#services/gym/random.ts'
import type { DrawnMap } from './map-drawing.ts'
import type { MapScene } from './map-scene.ts'
import type { Evidence, ItemKind, ItemRequest, Scene } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'

type Asked = Pick<Scene, 'question' | 'key'> & {
  readonly regions: readonly number[]
  readonly classes: readonly number[]
}

/** Which class a region is in, which region is in a class, and how many are: after MapQA's retrieval questions. */
export const mapClass: ItemKind = {
  kind: 'geospatial/map-class',
  family: 'geospatial',
  dataset: 'stepstore-mapqa',
  levels: mapLevels,
  make: (request) =>
    madeScene(request, 'geospatial/map-class', (map, chance) =>
      chance.pick([classOfRegion, regionOfClass, countOfClass])(map, chance),
    ),
}

/** Two regions held against each other, with yes or no: after MapQA's relational questions. */
export const mapCompare: ItemKind = {
  kind: 'geospatial/map-compare',
  family: 'geospatial',
  dataset: 'stepstore-mapqa',
  levels: mapLevels,
  make: (request) =>
    madeScene(request, 'geospatial/map-compare', (map, chance) => chance.pick([higherThan, sharedBorder])(map, chance)),
}

function madeScene(request: ItemRequest, kind: string, asked: (map: MapScene, chance: Random) => Asked): Scene {
  const map = mapScene(request, kind)
  const { regions, classes, question, key } = asked(
    map,
    random(request.seed, request.split, kind, request.index, 'question'),
  )
  const drawn = drawnMap(map, request)
  return {
    svg: drawn.svg,
    question,
    key,
    evidence: evidenceOf(map, drawn, regions, classes),
    scene: {
      country: map.country,
      measure: map.measure,
      classes: map.classes,
      regions: map.regions.map((region) => ({
        name: region.name,
        class: map.classes[region.class] ?? '',
        neighbours: region.shape.neighbours.map((place) => map.regions[place]?.name ?? ''),
      })),
    },
  }
}

function evidenceOf(
  map: MapScene,
  drawn: DrawnMap,
  regions: readonly number[],
  classes: readonly number[],
): Evidence[] {
  const found: Evidence[] = []
  for (const place of regions) {
    const [region, box] = [map.regions[place], drawn.regions[place]]
    if (region !== undefined && box !== undefined) {
      found.push({ what: `region ${region.name}`, box, value: map.classes[region.class] ?? '' })
    }
  }
  for (const place of classes) {
    const [words, box] = [map.classes[place], drawn.entries[place]]
    if (words !== undefined && box !== undefined) found.push({ what: `legend entry ${words}`, box, value: words })
  }
  return found
}

function classOfRegion(map: MapScene, chance: Random): Asked {
  const place = chance.int(0, map.regions.length)
  const region = map.regions[place]
  if (region === undefined) throw new RangeError('a map has regions')
  const others = chance.shuffle(map.classes.filter((_, klass) => klass !== region.class)).slice(0, 3)
  const right = map.classes[region.class] ?? ''
  const choices = chance.shuffle([right, ...others])
  const question = chance.pick([
    `What is the value range of ${region.name}?`,
    `Which class of the legend is ${region.name} in?`,
    `In which range does ${region.name} lie for ${map.measure.toLowerCase()}?`,
  ])
  return {
    question,
    key: { answer: [right], answer_type: 'choice', choices },
    regions: [place],
    classes: [region.class],
  }
}

function regionOfClass(map: MapScene, chance: Random): Asked {
  // A class with regions outside it for the wrong choices.
  const place = chance.int(0, map.regions.length)
  const region = map.regions[place]
  if (region === undefined) throw new RangeError('a map has regions')
  const others = chance.shuffle(map.regions.filter((other) => other.class !== region.class)).slice(0, 3)
  const choices = chance.shuffle([region, ...others]).map((one) => one.name)
  const words = map.classes[region.class] ?? ''
  const question = chance.pick([
    `Which of these regions is in the class ${words}?`,
    `Which region has a value in the range ${words}?`,
  ])
  return {
    question,
    key: { answer: [region.name], answer_type: 'choice', choices },
    regions: [place],
    classes: [region.class],
  }
}

function countOfClass(map: MapScene, chance: Random): Asked {
  const klass = chance.int(0, map.classes.length)
  const places = [...map.regions.keys()].filter((place) => map.regions[place]?.class === klass)
  const words = map.classes[klass] ?? ''
  const question = chance.pick([
    `How many regions are in the class ${words}?`,
    `How many regions have a value in the range ${words}?`,
  ])
  return {
    question,
    key: { answer: [String(places.length)], answer_type: 'numeric' },
    regions: places,
    classes: [klass],
  }
}

function higherThan(map: MapScene, chance: Random): Asked {
  const one = chance.int(0, map.regions.length)
  const unlike = [...map.regions.keys()].filter((place) => map.regions[place]?.class !== map.regions[one]?.class)
  const two = chance.pick(unlike)
  const wantYes = chance.chance(0.5)
  const isHigher = (map.regions[one]?.class ?? 0) > (map.regions[two]?.class ?? 0)
  const [first, second] = isHigher === wantYes ? [one, two] : [two, one]
  const [a, b] = [map.regions[first]?.name ?? '', map.regions[second]?.name ?? '']
  const question = chance.pick([
    `Does ${a} have a higher value than ${b}?`,
    `Is the value of ${a} higher than the value of ${b}?`,
  ])
  return {
    question,
    key: { answer: [wantYes ? 'yes' : 'no'], answer_type: 'yes_no' },
    regions: [first, second],
    classes: [map.regions[first]?.class ?? 0, map.regions[second]?.class ?? 0],
  }
}

function sharedBorder(map: MapScene, chance: Random): Asked {
  const wantYes = chance.chance(0.5)
  const pairs: (readonly [number, number])[] = []
  for (const [one, region] of map.regions.entries()) {
    for (const two of map.regions.keys()) {
      if (one !== two && region.shape.neighbours.includes(two) === wantYes) pairs.push([one, two])
    }
  }
  const [one, two] = chance.pick(pairs)
  const [a, b] = [map.regions[one]?.name ?? '', map.regions[two]?.name ?? '']
  const question = chance.pick([`Do ${a} and ${b} share a border?`, `Does ${a} border on ${b}?`])
  return {
    question,
    key: { answer: [wantYes ? 'yes' : 'no'], answer_type: 'yes_no' },
    regions: [one, two],
    classes: [],
  }
}
