/** Tool calls of a trajectory out of its events, judged as those that are read from the lake. */
import type { EventData } from '#schemas/events.ts'
import type { Data } from '#schemas/events/define.ts'
import { judgedRow } from './call-rows.ts'
import type { CallRow } from './call-table.ts'
import { type ToolSchema, toolSchemas } from './rules.ts'

/** The calls in the order of steps. `started` is the data of trajectory.started, where that has come; `steps` that of its steps. */
export function callsOfEvents(started: Data | undefined, steps: readonly Data[]): CallRow[] {
  let schemas: ReadonlyMap<string, ToolSchema> | undefined
  return steps.flatMap((data) =>
    ((data as EventData<'step.recorded'>).tool_calls ?? []).map((call) =>
      judgedRow(
        {
          name: call.name,
          tool: call.tool ?? null,
          parse_ok: call.parse_ok ?? null,
          schema_ok: call.schema_ok ?? null,
          valid: call.valid ?? null,
          status: call.status ?? null,
          output_schema_ok: call.output_schema_ok ?? null,
          error_codes: call.error_codes ?? null,
          attempt: call.attempt ?? null,
          latency_ms: call.latency_ms ?? null,
          // A null says as much as nothing, here as in the lake.
          arguments: call.arguments ?? undefined,
          output: call.output_json ?? undefined,
        },
        (schemas ??= toolSchemas(started?.['tools'])),
      ),
    ),
  )
}
