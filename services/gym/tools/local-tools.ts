import type { LocalTool } from './tool.ts'

/** The tools that run here, by name. Each is loaded when it is first called: OpenCV alone takes some 11 MB. */
export const localTools: Readonly<Record<string, () => Promise<LocalTool>>> = {
  easyocr: async () => (await import('./local/ocr.ts')).ocr,
  grounding_dino: async () => (await import('./local/detection.ts')).detection,
  sam: async () => (await import('./local/segmentation.ts')).segmentation,
  chartmoe: async () => (await import('./local/chart-to-table.ts')).chartToTable,
  opencv: async () => (await import('./local/chart-to-svg.ts')).chartToSvg,
  chart_scene_graph: async () => (await import('./local/chart-scene-graph.ts')).chartSceneGraph,
  caption_colours: async () => (await import('./local/caption-colours.ts')).captionColours,
  image_cdl: async () => (await import('./local/cdl.ts')).imageCdl,
  text_cdl: async () => (await import('./local/cdl.ts')).textCdl,
  construction_cdl: async () => (await import('./local/cdl.ts')).constructionCdl,
  goal_cdl: async () => (await import('./local/cdl.ts')).goalCdl,
  intergps: async () => (await import('./local/intergps.ts')).intergps,
  diagram_formalizer: async () => (await import('./local/intergps.ts')).diagramFormalizer,
  diagram_parser: async () => (await import('./local/diagram-parser.ts')).diagramParser,
  math_solver: async () => (await import('./local/math-solver.ts')).mathSolver,
  map_to_table: async () => (await import('./local/map-to-table.ts')).mapToTable,
  instrument_reader: async () => (await import('./local/instruments.ts')).instruments,
  deepeyes: async () => (await import('./local/zoom.ts')).zoom,
}
