import { createRequire } from 'node:module'
import type { Style } from '#services/gym/items/item.ts'

const require = createRequire(import.meta.url)

/** Plain TTF out of npm packages, by family and weight: woff draws no text, and says nothing. */
const files: Readonly<Record<string, readonly string[]>> = {
  Inter: [
    '@expo-google-fonts/inter/400Regular/Inter_400Regular.ttf',
    '@expo-google-fonts/inter/600SemiBold/Inter_600SemiBold.ttf',
    '@expo-google-fonts/inter/700Bold/Inter_700Bold.ttf',
  ],
  Roboto: [
    '@expo-google-fonts/roboto/400Regular/Roboto_400Regular.ttf',
    '@expo-google-fonts/roboto/700Bold/Roboto_700Bold.ttf',
  ],
  'DejaVu Sans': ['dejavu-fonts-ttf/ttf/DejaVuSans.ttf', 'dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf'],
  'DejaVu Serif': ['dejavu-fonts-ttf/ttf/DejaVuSerif.ttf', 'dejavu-fonts-ttf/ttf/DejaVuSerif-Bold.ttf'],
  Lora: ['@expo-google-fonts/lora/400Regular/Lora_400Regular.ttf', '@expo-google-fonts/lora/700Bold/Lora_700Bold.ttf'],
  Nunito: [
    '@expo-google-fonts/nunito/400Regular/Nunito_400Regular.ttf',
    '@expo-google-fonts/nunito/700Bold/Nunito_700Bold.ttf',
  ],
}

/** The font families of a style. Tools are tuned on the ordinary ones only. */
export const fontFamilies: Readonly<Record<Style, readonly string[]>> = {
  ordinary: ['Inter', 'Roboto', 'DejaVu Sans'],
  unseen: ['Lora', 'Nunito'],
}

/** The font files that an SVG names, so that only those are read. An SVG that names none is drawn in Inter. */
export function fontFilesOf(svg: string): string[] {
  const named = Object.keys(files).filter((family) => svg.includes(family))
  return (named.length > 0 ? named : ['Inter']).flatMap((family) =>
    (files[family] ?? []).map((file) => require.resolve(file)),
  )
}
