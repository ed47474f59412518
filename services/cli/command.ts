/** What a command is, and what it is given. */
import type { Config, Overrides } from '#services/config.ts'
import type { Arguments, CommandSpec } from './arguments.ts'
import type { Terminal } from './terminal.ts'

/** Exit codes: 0 good, 1 found something wrong, 2 misuse. */
export type ExitCode = 0 | 1 | 2

export interface CommandContext {
  readonly args: Arguments
  readonly terminal: Terminal
  /** Reads and checks the settings; only when they are needed, so that help works with wrong ones. */
  readonly config: (overrides?: Overrides) => Config
  readonly json: boolean
  readonly stdin: NodeJS.ReadableStream
  /** The clock, in milliseconds since 1970. */
  readonly now: () => number
}

export interface Command {
  readonly spec: CommandSpec
  run(context: CommandContext): Promise<ExitCode>
}
