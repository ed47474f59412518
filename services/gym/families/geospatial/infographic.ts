import { countryNames } from './names.ts'
import { bankOf } from '#services/gym/items/split-bank.ts'
import { fontFamilies } from '#services/gym/picture/fonts.ts'
import { element, specks, svgPicture, text, textBox, wholeBox } from '#services/gym/picture/svg.ts'
import { random } from '#services/gym/random.ts'
import type { Box, ItemKind, ItemRequest, Scene } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'

type Level = { readonly facts: number; readonly differences: boolean; readonly noise: number }

const levels: readonly Level[] = [
  { facts: 4, differences: false, noise: 0 },
  { facts: 6, differences: true, noise: 0.3 },
  { facts: 8, differences: true, noise: 0.7 },
]

/** What the shares are of; each topic has eight things at least. */
const topics: readonly { readonly title: string; readonly of: string; readonly things: readonly string[] }[] = [
  {
    title: 'How people travel',
    of: 'commuters',
    things: ['Train', 'Bicycle', 'Car', 'Bus', 'Walking', 'Tram', 'Ferry', 'Scooter', 'Taxi'],
  },
  {
    title: 'What people read',
    of: 'readers',
    things: ['Novels', 'Comics', 'News', 'History', 'Poetry', 'Travel', 'Science', 'Cooking', 'Sports'],
  },
  {
    title: 'Favourite drinks',
    of: 'guests',
    things: ['Coffee', 'Green tea', 'Milk', 'Lemonade', 'Cider', 'Cocoa', 'Water', 'Juice', 'Black tea'],
  },
  {
    title: 'Pets at home',
    of: 'homes',
    things: ['Dogs', 'Cats', 'Birds', 'Fish', 'Rabbits', 'Turtles', 'Hamsters', 'Lizards', 'Ponies'],
  },
  {
    title: 'Free time',
    of: 'people',
    things: ['Music', 'Gardening', 'Painting', 'Running', 'Chess', 'Sailing', 'Dancing', 'Hiking', 'Theatre'],
  },
  {
    title: 'Waste by kind',
    of: 'towns',
    things: ['Paper', 'Glass', 'Metal', 'Plastic', 'Food', 'Wood', 'Textiles', 'Batteries', 'Rubber'],
  },
]

type Fact = { readonly name: string; readonly value: number }
type Layout = 'cards' | 'rows' | 'circles'
type Drawn = { readonly parts: readonly string[]; readonly boxes: readonly Box[]; readonly height: number }

const inks = {
  ordinary: ['#1f4e79', '#7a1f3d', '#1e6b4a', '#5b2a86', '#8a4b08'],
  unseen: ['#0b4f52', '#6b1d5c', '#3d4a12', '#30336b'],
} as const
const pale = ['#e8f1f8', '#fbeaf0', '#eaf6ef', '#f2ecf9', '#fdf2e3', '#eef0f2'] as const

/** Big percentages with a sign and a name each: read one, hold two against each other, find the largest. After InfographicVQA. */
export const infographic: ItemKind = {
  kind: 'geospatial/infographic',
  family: 'geospatial',
  dataset: 'stepstore-infographicvqa',
  levels,
  make(request) {
    const level = levels[request.level]
    if (level === undefined) throw new RangeError(`geospatial/infographic has levels 0 to ${levels.length - 1}`)
    const stream = [request.split, 'infographic', request.index, request.style] as const
    const values = random(request.seed, ...stream, 'values')
    const topic = values.pick(topics)
    const country = values.pick(bankOf(request.split, countryNames))
    const shares = values.shuffle(Array.from({ length: 88 }, (_, place) => place + 6))
    const facts = values
      .shuffle(topic.things)
      .slice(0, level.facts)
      .map((name, place) => ({ name, value: shares[place] ?? 0 }))
    const layout = random(request.seed, ...stream, 'layout').pick(['cards', 'rows', 'circles'] as const)
    const drawn = drawnFacts(facts, layout, request)
    const family = familyOf(request)
    const asked = askedOf(facts, topic.of, level, random(request.seed, ...stream, 'question'))
    const noise = random(request.seed, ...stream, 'noise')
    const svg = svgPicture(
      720,
      drawn.height,
      '#ffffff',
      specks(noise, 720, drawn.height, level.noise * 0.5),
      text(`${topic.title} in ${country}`, { x: 360, y: 48, size: 28, family, weight: 700, anchor: 'middle' }),
      text(`Share of ${topic.of} in per cent, several answers possible`, {
        x: 360,
        y: 76,
        size: 15,
        family,
        anchor: 'middle',
        fill: '#444444',
      }),
      ...drawn.parts,
    )
    const evidence = asked.places.map((place) => ({
      what: `share of ${facts[place]?.name ?? ''}`,
      box: drawn.boxes[place] ?? [0, 0, 1, 1],
      value: facts[place]?.value ?? 0,
    }))
    return {
      svg,
      question: asked.question,
      key: asked.key,
      evidence,
      scene: { title: topic.title, country, layout, facts },
    }
  },
}

function familyOf(request: ItemRequest): string {
  return random(request.seed, request.split, 'infographic', request.index, request.style, 'font').pick(
    fontFamilies[request.style],
  )
}

function askedOf(
  facts: readonly Fact[],
  of: string,
  level: Level,
  chance: Random,
): Pick<Scene, 'question' | 'key'> & { places: number[] } {
  const [one = 0, two = 1] = chance.shuffle([...facts.keys()])
  const [a, b] = [facts[one], facts[two]]
  if (a === undefined || b === undefined) throw new RangeError('an infographic has two facts or more')
  const percent = (value: number): Scene['key'] => ({ answer: [String(value)], answer_type: 'numeric', unit: '%' })
  const read = {
    question: chance.pick([`What percentage is given for “${a.name}”?`, `What share of ${of} goes with “${a.name}”?`]),
    key: percent(a.value),
    places: [one],
  }
  const most = chance.chance(0.5)
  const among = chance.shuffle([...facts.keys()]).slice(0, 4)
  const end = among.toSorted((x, y) => (facts[x]?.value ?? 0) - (facts[y]?.value ?? 0)).at(most ? -1 : 0) ?? 0
  const extreme = {
    question: `Which of these has the ${most ? 'largest' : 'smallest'} share?`,
    key: {
      answer: [facts[end]?.name ?? ''],
      answer_type: 'choice' as const,
      choices: among.map((place) => facts[place]?.name ?? ''),
    },
    places: among,
  }
  if (!level.differences) return chance.pick([read, extreme])
  const difference = {
    question: chance.pick([
      `By how many percentage points do “${a.name}” and “${b.name}” differ?`,
      `What is the difference between “${a.name}” and “${b.name}”, in percentage points?`,
    ]),
    key: { answer: [String(Math.abs(a.value - b.value))], answer_type: 'numeric' as const },
    places: [one, two],
  }
  return chance.pick([read, extreme, difference])
}

function drawnFacts(facts: readonly Fact[], layout: Layout, request: ItemRequest): Drawn {
  const chance = random(request.seed, request.split, 'infographic', request.index, request.style, 'look')
  const family = familyOf(request)
  const grounds = chance.shuffle(pale)
  const ink = chance.shuffle(inks[request.style])
  const parts: string[] = []
  const boxes: Box[] = []
  const columns = layout === 'rows' ? 1 : facts.length > 6 ? 4 : facts.length > 4 ? 3 : 2
  const step = { x: 680 / columns, y: layout === 'rows' ? 66 : layout === 'cards' ? 170 : 190 }
  for (const [place, { name, value }] of facts.entries()) {
    const x = 20 + (place % columns) * step.x
    const y = 100 + Math.floor(place / columns) * step.y
    const colour = ink[place % ink.length] ?? '#222222'
    const ground = grounds[place % grounds.length] ?? '#eeeeee'
    const middle = x + step.x / 2
    const number = `${value}%`
    if (layout === 'rows') {
      const look = { x: 250, y: y + 40, size: 34, family, weight: 700, anchor: 'end', fill: colour } as const
      parts.push(
        icon(chance, 56, y + 28, 16, colour),
        text(number, look),
        text(name, { x: 280, y: y + 37, size: 20, family }),
        element('rect', { x: 430, y: y + 20, width: 250, height: 18, fill: ground }),
        element('rect', { x: 430, y: y + 20, width: 2.5 * value, height: 18, fill: colour }),
      )
      boxes.push(textBox(number, look))
      continue
    }
    const look = { x: middle, y: y + 104, size: 38, family, weight: 700, anchor: 'middle', fill: colour } as const
    if (layout === 'cards') {
      parts.push(
        element('rect', { x: x + 8, y, width: step.x - 16, height: step.y - 16, rx: 12, fill: ground }),
        icon(chance, middle, y + 36, 18, colour),
        text(number, look),
        text(name, { x: middle, y: y + 138, size: 18, family, anchor: 'middle' }),
      )
      boxes.push(textBox(number, look))
      continue
    }
    const inRing = { ...look, size: 28, y: y + 78 }
    parts.push(ring(middle, y + 68, 54, value, colour, ground), text(number, inRing))
    parts.push(text(name, { x: middle, y: y + 152, size: 18, family, anchor: 'middle' }))
    boxes.push(textBox(number, inRing))
  }
  return {
    parts,
    boxes: boxes.map(([a, b, c, d]) => wholeBox(a, b, c, d)),
    height: 100 + Math.ceil(facts.length / columns) * step.y + 20,
  }
}

/** A ring that is filled clockwise from the top by a share. */
function ring(x: number, y: number, radius: number, percent: number, colour: string, ground: string): string {
  const whole = 2 * Math.PI * radius
  const common = { cx: x, cy: y, r: radius, fill: 'none', 'stroke-width': 14 }
  return (
    element('circle', { ...common, stroke: ground }) +
    element('circle', {
      ...common,
      stroke: colour,
      'stroke-dasharray': `${((whole * percent) / 100).toFixed(1)} ${whole.toFixed(1)}`,
      transform: `rotate(-90 ${x.toFixed(1)} ${y})`,
    })
  )
}

/** A small sign of no meaning beside a fact. */
function icon(chance: Random, x: number, y: number, size: number, fill: string): string {
  const kind = chance.int(0, 4)
  if (kind === 0) return element('circle', { cx: x, cy: y, r: size, fill })
  if (kind === 1) return element('rect', { x: x - size, y: y - size, width: size * 2, height: size * 2, rx: 5, fill })
  const around = (count: number, inner: number): string =>
    Array.from({ length: count * 2 }, (_, place) => {
      const [angle, reach] = [(place * Math.PI) / count - Math.PI / 2, place % 2 === 0 ? size * 1.1 : size * inner]
      return `${(x + Math.cos(angle) * reach).toFixed(1)},${(y + Math.sin(angle) * reach).toFixed(1)}`
    }).join(' ')
  return element('polygon', { points: kind === 2 ? around(5, 0.5) : around(3, 0.55), fill })
}
