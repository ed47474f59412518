import Type from 'typebox'
import { box, closed, imageIndex } from './fields.ts'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'

/** Our own tools beside the paper's, filed in its subsets: classed maps as tables, and instruments of every day. */
export const mapsAndInstruments: readonly ToolDefinition[] = [
  {
    name: 'map_to_table',
    aliases: ['MapToTable', 'map_reader'],
    family: 'Chart Understanding',
    subset: 'ChartToTable',
    description:
      'Reads a map whose regions are coloured by class: the legend, the class of each region, and which regions border on each other. No tool of the paper; works on flat colours, dark names and a legend of squares.',
    tasks: {
      to_table: {
        description: 'One row a region: its name, its class, the regions that it borders on.',
        arguments: closed({ image_index: imageIndex }),
        output: closed({
          classes: Type.Array(Type.String(), { description: 'The legend, lowest first.' }),
          rows: Type.Array(
            closed({ region: Type.String(), class: Type.String(), borders_on: Type.Array(Type.String()) }),
          ),
        }),
      },
    },
    default_task: 'to_table',
    timeout_ms: 30_000,
    concurrency: 4,
    retries: 0,
    runs: 'local',
  },
  {
    name: 'instrument_reader',
    aliases: ['InstrumentReader', 'gauge_reader', 'clock_reader'],
    family: 'Perception',
    subset: 'Detection',
    description:
      'Finds clocks with hands, dial gauges and thermometers and reads them. No tool of the paper; works on round faces of one colour, dark hands, and coloured needles and columns.',
    tasks: {
      read: {
        description: 'Each instrument with the name under it, its kind and its reading.',
        arguments: closed({ image_index: imageIndex }),
        output: closed({
          instruments: Type.Array(
            closed({
              name: Type.String(),
              kind: Type.Union([Type.Literal('clock'), Type.Literal('gauge'), Type.Literal('thermometer')]),
              reading: Type.String({ description: 'A time such as 3:25, or a number.' }),
              box: box('In pixels.'),
            }),
          ),
        }),
      },
    },
    default_task: 'read',
    timeout_ms: 30_000,
    concurrency: 4,
    retries: 0,
    runs: 'local',
  },
]
