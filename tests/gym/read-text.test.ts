import { afterAll, describe, expect, it } from 'vitest'
import { decodedPng } from '#services/gym/picture/decode.ts'
import { renderedPng } from '#services/gym/picture/render.ts'
import { element, svgPicture, text } from '#services/gym/picture/svg.ts'
import { textReader } from '#services/gym/tools/local/read-text.ts'
import type { Pixels } from '#services/gym/tools/tool.ts'
import { textScene } from '#tests/support/text-scene.ts'

const reader = textReader()
afterAll(() => reader.close())

const picture = (...parts: string[]): Pixels => decodedPng(renderedPng(svgPicture(400, 120, '#ffffff', ...parts)).bytes)
const words = async (pixels: Pixels): Promise<string[]> => (await reader.readText(pixels)).map((region) => region.text)

describe('reading text', () => {
  it('says the same whatever was read before', async () => {
    const pixels = decodedPng(renderedPng(textScene(21, 'ordinary', 2).svg).bytes)
    const fresh = textReader()
    const alone = await fresh.readText(pixels)
    await fresh.close()
    await reader.readText(decodedPng(renderedPng(textScene(22, 'unseen', 2).svg).bytes))
    await reader.readText(decodedPng(renderedPng(textScene(23, 'ordinary', 2).svg).bytes), { digits: true })
    expect(await reader.readText(pixels)).toEqual(alone)
    expect(alone.length).toBeGreaterThan(7)
  })

  it('reads light on dark, coloured and turned text', async () => {
    const pixels = picture(
      element('rect', { x: 60, y: 10, width: 150, height: 50, fill: '#123a5a' }),
      text('Harbour 42', { x: 75, y: 42, size: 18, family: 'Roboto', fill: '#fff3d0' }),
      text('Copper', { x: 240, y: 42, size: 16, family: 'Inter', fill: '#c2410c' }),
      text('Revenue', { x: 30, y: 110, size: 14, family: 'DejaVu Sans', rotation: -90 }),
    )
    expect((await words(pixels)).toSorted()).toEqual(['Copper', 'Harbour 42', 'Revenue'])
  })

  it('keeps neighbouring years apart and points in numbers', async () => {
    const labels = ['2011', '2012', '2013', '7.5', '-12.4', '3,150']
    const pixels = picture(
      ...labels.map((label, place) => text(label, { x: 10 + place * 60, y: 60, size: 13, family: 'Inter' })),
    )
    expect((await words(pixels)).toSorted()).toEqual(labels.toSorted())
  })

  it('keeps the blanks of a telephone number', async () => {
    for (const family of ['Inter', 'Roboto', 'DejaVu Sans'])
      expect(await words(picture(text('819 379 5996', { x: 40, y: 60, size: 17, family })))).toEqual(['819 379 5996'])
  })

  it('reads a number inside a ring, whose arcs are no letters', async () => {
    const whole = 2 * Math.PI * 50
    const ring = { cx: 100, cy: 60, r: 50, fill: 'none', 'stroke-width': 14 }
    const arc = { ...ring, stroke: '#7a1f3d', 'stroke-dasharray': `${(whole * 0.8).toFixed(1)} ${whole.toFixed(1)}` }
    const pixels = picture(
      element('circle', { ...ring, stroke: '#eaf6ef' }),
      element('circle', { ...arc, transform: 'rotate(-90 100 60)' }),
      text('80%', { x: 100, y: 69, size: 24, family: 'DejaVu Sans', weight: 700, anchor: 'middle' }),
    )
    expect(await words(pixels)).toContain('80%')
  })

  it('reads times and bold percentages again where figures were missed', async () => {
    const time = picture(text('18:11', { x: 40, y: 60, size: 17, family: 'Roboto' }))
    const share = picture(text('41%', { x: 100, y: 60, size: 38, family: 'Inter', weight: 700, anchor: 'middle' }))
    expect([await words(time), await words(share)]).toEqual([['18:11'], ['41%']])
  })

  it('takes swatches, rules and markers for no text', async () => {
    const pixels = picture(
      element('rect', { x: 10, y: 10, width: 14, height: 14, fill: '#1f77b4' }),
      element('line', { x1: 0, y1: 60.5, x2: 400, y2: 60.5, stroke: '#999999' }),
      element('circle', { cx: 100, cy: 90, r: 60, fill: 'none', stroke: '#333333' }),
    )
    expect(await words(pixels)).toEqual([])
  })

  it('reads only the regions that are asked for', async () => {
    const pixels = picture(
      text('left', { x: 20, y: 60, size: 16, family: 'Inter' }),
      text('right', { x: 300, y: 60, size: 16, family: 'Inter' }),
    )
    const found = await reader.readText(pixels, { regions: [[200, 0, 400, 120]] })
    expect(found.map((region) => region.text)).toEqual(['right'])
    const [box] = found.map((region) => region.box)
    expect(box?.[0]).toBeGreaterThanOrEqual(298)
    expect(box?.[2]).toBeLessThan(345)
  })

  it('reads figures as figures', async () => {
    const found = await reader.readText(picture(text('100', { x: 20, y: 60, size: 14, family: 'Inter' })), {
      digits: true,
    })
    expect(found.map((region) => region.text)).toEqual(['100'])
  })
})

describe('decoding', () => {
  it('refuses what is no PNG, is cut off, or would be too large', () => {
    const { bytes } = renderedPng(svgPicture(40, 40, '#ffffff'))
    const large = Buffer.from(bytes)
    large.writeUInt32BE(600_000, 16)
    expect(() => decodedPng(Buffer.from('GIF89a'.repeat(20)))).toThrow('not a PNG')
    expect(() => decodedPng(bytes.subarray(0, 60))).toThrow('cannot be read')
    expect(() => decodedPng(large)).toThrow('600000 x 40 pixels')
  })
})
