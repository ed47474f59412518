import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { Resvg } from '@resvg/resvg-js'

/** A picture as PNG; `sha256` (hex, of the bytes) is its name. Width and height in pixels. */
export type Picture = {
  readonly bytes: Uint8Array
  readonly sha256: string
  readonly width: number
  readonly height: number
}

const require = createRequire(import.meta.url)

/** Inter out of an npm package. Only plain TTF works: woff draws no text, and says nothing. */
const fontFiles = [
  require.resolve('@expo-google-fonts/inter/400Regular/Inter_400Regular.ttf'),
  require.resolve('@expo-google-fonts/inter/600SemiBold/Inter_600SemiBold.ttf'),
  require.resolve('@expo-google-fonts/inter/700Bold/Inter_700Bold.ttf'),
]

/** Draws SVG at its own size. Fonts of the machine are left out, so the same SVG gives the same bytes everywhere. */
export function renderedPng(svg: string): Picture {
  const image = new Resvg(svg, {
    font: { loadSystemFonts: false, fontFiles, defaultFontFamily: 'Inter' },
    background: 'white',
  }).render()
  const bytes = new Uint8Array(image.asPng())
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex'), width: image.width, height: image.height }
}
