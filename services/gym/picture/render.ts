import { createHash } from 'node:crypto'
import { Resvg } from '@resvg/resvg-js'
import { fontFilesOf } from './fonts.ts'

/** A picture as PNG; `sha256` (hex, of the bytes) is its name. Width and height in pixels. */
export type Picture = {
  readonly bytes: Uint8Array
  readonly sha256: string
  readonly width: number
  readonly height: number
}

/** Draws SVG at its own size. Fonts of the machine are left out, so the same SVG gives the same bytes everywhere. */
export function renderedPng(svg: string): Picture {
  const image = new Resvg(svg, {
    font: { loadSystemFonts: false, fontFiles: fontFilesOf(svg), defaultFontFamily: 'Inter' },
    background: 'white',
  }).render()
  const bytes = new Uint8Array(image.asPng())
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex'), width: image.width, height: image.height }
}
