import { money } from './paper.ts'
import { element, group, specks, svgPicture, text, textBox, wholeBox } from '#services/gym/picture/svg.ts'
import { random } from '#services/gym/random.ts'
import type { Paper } from './paper.ts'
import type { Box, Evidence, ItemRequest } from '#services/gym/items/item.ts'
import type { TextLook } from '#services/gym/picture/svg.ts'

/** A drawn paper and where its things stand: `field Due date`, `amount Desk lamp`, `total` … */
export type DrawnPaper = { readonly svg: string; readonly places: ReadonlyMap<string, Evidence> }

type Sheet = { readonly paper: Paper; readonly parts: string[]; readonly places: Map<string, Evidence> }
type Words = Partial<TextLook> & { readonly x: number; readonly y: number }

const headings = { invoice: 'INVOICE', receipt: 'RECEIPT', form: 'ENTRY FORM', letter: 'ORDER LETTER' } as const

export function drawnPaper(paper: Paper, request: ItemRequest): DrawnPaper {
  const sheet: Sheet = { paper, parts: [], places: new Map() }
  const width = paper.layout === 'receipt' ? 460 : 700
  const top = paper.layout === 'receipt' ? receiptHead(sheet, width) : pageHead(sheet, width)
  const end =
    paper.layout === 'form' ? formFields(sheet, top, width) : tableOf(sheet, fieldList(sheet, top, width), width)
  const height = Math.ceil(end + 60)
  stampOf(sheet, width, end, request)
  const noise = random(request.seed, request.split, request.index, 'noise')
  const { turn, sheet: ground } = paper.look
  const places = new Map(
    [...sheet.places].map(([name, each]) => [name, { ...each, box: turned(each.box, turn, width, height) }]),
  )
  const body =
    turn === 0
      ? sheet.parts
      : [group({ transform: `rotate(${turn.toFixed(2)} ${width / 2} ${height / 2})` }, ...sheet.parts)]
  return {
    svg: svgPicture(width, height, ground, specks(noise, width, height, paper.look.specks * 0.5), ...body),
    places,
  }
}

/** The box around a box that was turned about the middle of the sheet. */
function turned([left, top, right, bottom]: Box, degrees: number, width: number, height: number): Box {
  const [sine, cosine] = [Math.sin((degrees * Math.PI) / 180), Math.cos((degrees * Math.PI) / 180)]
  const corners = [
    [left, top],
    [right, top],
    [right, bottom],
    [left, bottom],
  ].map(([x = 0, y = 0]) => [
    width / 2 + (x - width / 2) * cosine - (y - height / 2) * sine,
    height / 2 + (x - width / 2) * sine + (y - height / 2) * cosine,
  ])
  const xs = corners.map(([x = 0]) => x)
  const ys = corners.map(([, y = 0]) => y)
  return wholeBox(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys))
}

function write(
  { paper, parts, places }: Sheet,
  words: string,
  look: Words,
  name?: string,
  value?: string | number,
): void {
  const whole: TextLook = { size: 16, family: paper.look.family, fill: paper.look.ink, ...look }
  parts.push(text(words, whole))
  if (name !== undefined) places.set(name, { what: name, box: textBox(words, whole), value: value ?? words })
}

function rule({ parts, paper }: Sheet, x1: number, x2: number, y: number): void {
  parts.push(element('line', { x1, y1: y, x2, y2: y, stroke: paper.look.accent, 'stroke-width': 1.2 }))
}

function pageHead(sheet: Sheet, width: number): number {
  const { company, address, layout, look } = sheet.paper
  write(sheet, company, { x: 44, y: 62, size: 26, weight: 700, fill: look.accent })
  write(sheet, address, { x: 44, y: 88, size: 14 })
  write(sheet, headings[layout], { x: width - 44, y: 62, size: 22, weight: 700, anchor: 'end' })
  rule(sheet, 44, width - 44, 106)
  return 144
}

function receiptHead(sheet: Sheet, width: number): number {
  const { company, address, look } = sheet.paper
  write(sheet, company, { x: width / 2, y: 52, size: 24, weight: 700, anchor: 'middle', fill: look.accent })
  write(sheet, address, { x: width / 2, y: 76, size: 14, anchor: 'middle' })
  write(sheet, headings.receipt, { x: width / 2, y: 106, size: 18, weight: 700, anchor: 'middle' })
  rule(sheet, 34, width - 34, 120)
  return 150
}

/** Labels and values beside each other: in two columns on invoices, in one elsewhere. */
function fieldList(sheet: Sheet, top: number, width: number): number {
  const { paper } = sheet
  const left = paper.layout === 'receipt' ? 34 : 44
  let y = top
  if (paper.layout === 'letter') {
    for (const [place, words] of [
      'Dear customer,',
      'thank you for your order. We have packed these things:',
    ].entries()) {
      write(sheet, words, { x: left, y: y + paper.fields.length * 30 + 16 + place * 26 })
    }
  }
  const columns = paper.layout === 'invoice' ? 2 : 1
  for (const [place, field] of paper.fields.entries()) {
    const column = place % columns
    const x = left + column * ((width - 88) / 2 + 10)
    const label = paper.look.colon ? `${field.label}:` : field.label
    if (columns === 2) {
      write(sheet, label, { x, y, size: 14, fill: '#555555' })
      write(sheet, field.value, { x, y: y + 22, weight: 700 }, `field ${field.label}`)
      if (column === 1 || place === paper.fields.length - 1) y += 56
      continue
    }
    write(sheet, label, { x, y, fill: '#444444' })
    if (paper.layout === 'receipt')
      write(sheet, field.value, { x: width - 34, y, anchor: 'end' }, `field ${field.label}`)
    else write(sheet, field.value, { x: x + 170, y, weight: 700 }, `field ${field.label}`)
    y += 30
  }
  return paper.layout === 'letter' ? y + 64 : y + 8
}

/** A form: boxes in two columns, the label above the value. */
function formFields(sheet: Sheet, top: number, width: number): number {
  const { fields, look } = sheet.paper
  const half = (width - 88 - 20) / 2
  for (const [place, field] of fields.entries()) {
    const x = 44 + (place % 2) * (half + 20)
    const y = top + Math.floor(place / 2) * 92
    write(sheet, look.colon ? `${field.label}:` : field.label, { x, y, size: 15, fill: '#444444' })
    sheet.parts.push(
      element('rect', {
        x,
        y: y + 10,
        width: half,
        height: 42,
        fill: 'none',
        stroke: look.accent,
        'stroke-width': 1.4,
      }),
    )
    write(sheet, field.value, { x: x + 12, y: y + 37, size: 18 }, `field ${field.label}`)
  }
  const end = top + Math.ceil(fields.length / 2) * 92
  write(sheet, 'Please keep a copy of this form.', { x: 44, y: end + 10, size: 14 })
  return end + 20
}

function tableOf(sheet: Sheet, top: number, width: number): number {
  const { paper, parts } = sheet
  const { look, lines, layout } = paper
  const narrow = layout === 'receipt'
  const [left, right] = narrow ? [34, width - 34] : [44, width - 44]
  const at = narrow
    ? { quantity: right - 160, price: right - 82, amount: right }
    : { quantity: right - 270, price: right - 140, amount: right - 8 }
  const step = 32
  let y = top + 26
  rule(sheet, left, right, y - 24)
  const head: Words = { x: left + 6, y, weight: 700, size: 15 }
  write(sheet, 'Item', head)
  write(sheet, 'Qty', { ...head, x: at.quantity, anchor: 'end' })
  write(sheet, 'Price', { ...head, x: at.price, anchor: 'end' })
  write(sheet, 'Amount', { ...head, x: at.amount, anchor: 'end' })
  rule(sheet, left, right, y + 9)
  for (const [place, line] of lines.entries()) {
    y += step
    if (look.grid === 'zebra' && place % 2 === 0) {
      parts.push(element('rect', { x: left, y: y - 21, width: right - left, height: step - 2, fill: '#eeeeee' }))
    }
    write(sheet, line.name, { x: left + 6, y }, `item ${line.name}`)
    write(sheet, String(line.quantity), { x: at.quantity, y, anchor: 'end' }, `quantity ${line.name}`, line.quantity)
    write(sheet, money(line.price), { x: at.price, y, anchor: 'end' }, `price ${line.name}`)
    write(sheet, money(line.amount), { x: at.amount, y, anchor: 'end' }, `amount ${line.name}`)
    if (look.grid === 'lines') rule(sheet, left, right, y + 10)
  }
  y += step + 8
  rule(sheet, left, right, y - 24)
  write(sheet, 'Total', { x: at.price, y, weight: 700, size: 17, anchor: 'end' })
  write(sheet, money(paper.total), { x: at.amount, y, weight: 700, size: 17, anchor: 'end' }, 'total')
  return y + 14
}

/** A stamp on the free strip under the table, turned a little, that covers no text. */
function stampOf({ paper, parts }: Sheet, width: number, end: number, request: ItemRequest): void {
  const words = paper.look.stamp
  if (words === null) return
  const chance = random(request.seed, request.split, request.index, 'stamp')
  const x = 70 + chance.next() * (width - 300)
  const lean = (chance.next() - 0.5) * 14
  const colour = chance.pick(['#c04040', '#3a62b0', '#3c8a55'])
  parts.push(
    group(
      { transform: `rotate(${lean.toFixed(1)} ${(x + 60).toFixed(1)} ${end + 24})`, opacity: 0.75 },
      element('rect', {
        x,
        y: end + 4,
        width: words.length * 15 + 20,
        height: 34,
        rx: 5,
        fill: 'none',
        stroke: colour,
        'stroke-width': 3,
      }),
      text(words, {
        x: x + words.length * 7.5 + 10,
        y: end + 28,
        size: 20,
        family: paper.look.family,
        weight: 700,
        anchor: 'middle',
        fill: colour,
      }),
    ),
  )
}
