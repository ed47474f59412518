import type { BarChart } from './bar-chart.ts'

/** Colours of a page. All text has a contrast of at least 4.5 to its page. */
export type Palette = {
  readonly page: string
  readonly ink: string
  readonly faint: string
  readonly axis: string
  readonly grid: string
  /** At least 9, told apart side by side. The first is the page's own colour for single-colour charts. */
  readonly bars: readonly string[]
}

export const palettes: readonly Palette[] = [
  {
    page: '#ffffff',
    ink: '#1f2937',
    faint: '#6b7280',
    axis: '#9ca3af',
    grid: '#e5e7eb',
    bars: ['#4e79a7', '#f28e2b', '#e15759', '#76b7b2', '#59a14f', '#edc948', '#b07aa1', '#ff9da7', '#9c755f'],
  },
  {
    page: '#fbf7f0',
    ink: '#3b2f2a',
    faint: '#7d6a5f',
    axis: '#b8a898',
    grid: '#eadfd1',
    bars: ['#b4533c', '#d99a4e', '#5f7a61', '#8c6d8f', '#3f6c7c', '#c7b04a', '#a15c6b', '#6d8fa8', '#7a5a42'],
  },
  {
    page: '#f7f9fc',
    ink: '#14213d',
    faint: '#5b6b86',
    axis: '#94a3b8',
    grid: '#dde5f0',
    bars: ['#2563eb', '#06b6d4', '#7c3aed', '#10b981', '#f59e0b', '#ef4444', '#64748b', '#ec4899', '#84cc16'],
  },
  {
    page: '#10172a',
    ink: '#f1f5f9',
    faint: '#94a3b8',
    axis: '#64748b',
    grid: '#27324a',
    bars: ['#38bdf8', '#f472b6', '#a3e635', '#fbbf24', '#c084fc', '#34d399', '#fb7185', '#60a5fa', '#fdba74'],
  },
  {
    page: '#ffffff',
    ink: '#22332b',
    faint: '#64766c',
    axis: '#9db0a5',
    grid: '#e2ebe5',
    bars: ['#2a9d8f', '#e9c46a', '#264653', '#f4a261', '#e76f51', '#8ab17d', '#6d597a', '#b5838d', '#457b9d'],
  },
  {
    page: '#fdfcff',
    ink: '#2d2440',
    faint: '#716786',
    axis: '#aea4c2',
    grid: '#ebe5f3',
    bars: ['#7b5ea7', '#e07a9b', '#4f9fb5', '#f0a35e', '#6fae75', '#c9577d', '#5567b8', '#b99f3f', '#98655a'],
  },
]

/** SVG paint attributes, one for each bar. A ramp runs from the highest bar, darkest, to the lowest. */
export function barPaints(palette: Palette, chart: BarChart): string[] {
  const own = palette.bars[Math.floor(chart.look.palette / palettes.length) % 4] ?? palette.bars[0] ?? ''
  const falling = chart.values.toSorted((left, right) => right - left)
  return chart.values.map((value, place) => {
    switch (chart.look.paint) {
      case 'single':
        return `fill="${own}"`
      case 'many':
        return `fill="${palette.bars[place % palette.bars.length] ?? own}"`
      case 'ramp': {
        const rank = falling.indexOf(value) / (falling.length - 1)
        return `fill="${mixed(own, palette.page, rank * 0.5)}"`
      }
      case 'outlined':
        return `fill="${mixed(own, palette.page, 0.72)}" stroke="${own}" stroke-width="1.75"`
    }
  })
}

/** `share` of the way from one #rrggbb to another. */
function mixed(from: string, to: string, share: number): string {
  const channel = (colour: string, start: number): number => Number.parseInt(colour.slice(start, start + 2), 16)
  const hex = [1, 3, 5].map((start) => {
    const level = channel(from, start) + (channel(to, start) - channel(from, start)) * share
    return Math.round(level).toString(16).padStart(2, '0')
  })
  return `#${hex.join('')}`
}
