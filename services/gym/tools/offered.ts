/** Which tools the prompt of an item names: those of its family's subsets, or all. */
import type { Family } from '#services/gym/items/item.ts'
import type { ToolDefinition } from './tool.ts'
import type { Tools } from './tools.ts'

/** What a prompt names: `family` the tools that questions of the item's family can need, `all` every one that can be called. */
export const TOOL_OFFERS = ['family', 'all'] as const
export type ToolOffer = (typeof TOOL_OFFERS)[number]

/** The subsets of the paper that help with a family. */
const subsets: Readonly<Record<Family, readonly string[]>> = {
  chart: ['OCR', 'ChartToTable', 'ChartToSVG', 'ChartToSCG', 'CaptioningColor', 'QAAnalysis', 'Math'],
  geometry: ['OCR', 'CDL', 'SymbolicParsing', 'Multimodal', 'Math'],
  geospatial: ['OCR', 'Detection', 'ChartToTable', 'Math'],
  scientific: ['OCR', 'Detection', 'SymbolicParsing', 'Math'],
  document: ['OCR', 'Detection', 'Math'],
  spatial: ['OCR', 'Detection', 'Segmentation'],
  others: ['OCR', 'Detection', 'Segmentation', 'Math'],
}

/** Tools that are for other families than their subset is. */
const only: Readonly<Record<string, readonly Family[]>> = {
  deepeyes: Object.keys(subsets) as Family[],
  map_to_table: ['geospatial'],
  instrument_reader: ['scientific', 'others'],
  diagram_parser: ['scientific'],
  intergps: ['geometry'],
  diagram_formalizer: ['geometry'],
  diagram_formalizer_model: ['geometry'],
}

/** Whether a tool is offered with items of a family. */
export function isOffered({ name, subset, tasks }: ToolDefinition, family: Family): boolean {
  const families = Object.hasOwn(only, name) ? only[name] : undefined
  if (families !== undefined) return families.includes(family)
  return [subset, ...Object.values(tasks).map((task) => task.subset)].some(
    (each) => each !== undefined && subsets[family].includes(each),
  )
}

/** The tools that can be called here, as definitions and as chat templates take them. */
export type OfferedTools = Pick<Tools, 'definitions' | 'schemas'>

/** Those of them that are offered with items of a family; the registry also knows some that run where no address is set for. */
export function offeredTools({ definitions, schemas }: OfferedTools, offer: ToolOffer, family: Family): OfferedTools {
  const byName = new Map(definitions.map((definition) => [definition.name, definition]))
  const shown = schemas.filter((schema) => {
    const definition = byName.get(nameOf(schema))
    return offer === 'all' || definition === undefined || isOffered(definition, family)
  })
  const names = new Set(shown.map(nameOf))
  return { definitions: definitions.filter(({ name }) => names.has(name)), schemas: shown }
}

/** The tools that can be called here. */
export function callableTools({ definitions, schemas }: OfferedTools): readonly ToolDefinition[] {
  const names = new Set(schemas.map(nameOf))
  return definitions.filter(({ name }) => names.has(name))
}

/** The name of a tool in the shape that chat templates take. */
export function nameOf({ function: called }: Readonly<Record<string, unknown>>): string {
  return String((called as { name?: unknown } | undefined)?.name)
}
