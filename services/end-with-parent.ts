/** For a process that works for the server alone. */

/**
 * Ends this process when its parent ends, or wants no more of it, and at no other time: a terminal and a service manager
 * signal the whole group, and the server needs its helpers while it drains. SIGKILL, since process.exit() would wait for the
 * statement that DuckDB is running.
 */
export function endWithParent(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
}
