type Branch = { readonly ohms: string; readonly nets: readonly [number, number]; readonly parts: number }

const stepsMax = 60

/**
 * The resistance between the ends of the source as a formula, from the words of the diagram parser. Null where a value
 * is missing, there is no source, or series and parallel steps do not bring the circuit down to one branch.
 */
export function circuitExpression(text: string): { readonly ohms: string; readonly volts: string } | null {
  let branches: Branch[] = []
  let source: { volts: string; nets: readonly [number, number] } | null = null
  for (const [, kind, value = '', from, to] of text.matchAll(
    /(resistor|source) ([\d.?]+) \S+ between net (\d+) and net (\d+)/g,
  )) {
    const nets = [Number(from), Number(to)] as const
    if (kind === 'source') source = { volts: value, nets }
    else if (value === '?') return null
    else branches.push({ ohms: value, nets, parts: 1 })
  }
  if (!source) return null
  const { nets, volts } = source
  for (let step = 0; step < stepsMax && branches.length > 1; step++) {
    const smaller = inParallel(branches) ?? inSeries(branches, nets)
    if (!smaller) return null
    branches = smaller
  }
  const [only] = branches
  return only && nets.every((net) => only.nets.includes(net)) ? { ohms: only.ohms, volts } : null
}

function inParallel(branches: readonly Branch[]): Branch[] | null {
  for (const [place, a] of branches.entries()) {
    const b = branches.slice(place + 1).find((other) => a.nets.every((net) => other.nets.includes(net)))
    if (!b) continue
    const rest = branches.filter((branch) => branch !== a && branch !== b)
    return [...rest, { ohms: `1/(1/${grouped(a)}+1/${grouped(b)})`, nets: a.nets, parts: 1 }]
  }
  return null
}

function inSeries(branches: readonly Branch[], ends: readonly number[]): Branch[] | null {
  const nets = new Set(branches.flatMap((branch) => branch.nets))
  for (const net of nets) {
    const [a, b, more] = branches.filter((branch) => branch.nets.includes(net))
    if (ends.includes(net) || !a || !b || more) continue
    const outer = [a, b].map((branch) => branch.nets.find((other) => other !== net) ?? net)
    const rest = branches.filter((branch) => branch !== a && branch !== b)
    return [
      ...rest,
      { ohms: `${a.ohms}+${b.ohms}`, nets: [outer[0] ?? net, outer[1] ?? net], parts: a.parts + b.parts },
    ]
  }
  return null
}

function grouped({ ohms }: Branch): string {
  return /^[\d.]+$/.test(ohms) ? ohms : `(${ohms})`
}
