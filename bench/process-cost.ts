import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const PROC = existsSync('/proc/self/stat');
/** Clock ticks of /proc in milliseconds: 100 a second on every Linux that Node.js runs on. */
const TICK_MS = 10;

/** Resident memory of a process in bytes, now and at its highest (Linux only). */
export function memoryOf(pid: number): { now: number; most: number | undefined } {
  if (!PROC)
    return {
      now: Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)]).toString()) * 1024,
      most: undefined,
    };
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+([0-9]+) kB`, 'm').exec(status)?.[1]);
  return { now: kilobytes('VmRSS') * 1024, most: kilobytes('VmHWM') * 1024 };
}

/** Processor time of a process and all its threads so far, in milliseconds; undefined where the system does not say. */
export function processorTimeOf(pid: number): number | undefined {
  if (!PROC) return undefined;
  const { user, system } = statOf(String(pid));
  return (user + system) * TICK_MS;
}

/** The same of its main thread alone: with more cores the rest runs beside it. */
export function mainThreadTimeOf(pid: number): number | undefined {
  if (!PROC) return undefined;
  const { user, system } = statOf(`${pid}/task/${pid}`);
  return (user + system) * TICK_MS;
}

/** Processor time of a process with its children, those that have ended included: a PostgreSQL server. */
export function processorTimeWithChildren(pid: number): number | undefined {
  if (!PROC) return undefined;
  const own = statOf(String(pid));
  let ticks = own.user + own.system + own.ended;
  for (const name of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue;
    try {
      const stat = statOf(name);
      if (stat.parent === pid) ticks += stat.user + stat.system;
    } catch {
      // It ended between the two looks.
    }
  }
  return ticks * TICK_MS;
}

function statOf(process: string): { parent: number; user: number; system: number; ended: number } {
  const text = readFileSync(`/proc/${process}/stat`, 'utf8');
  // The name in parentheses may hold anything; the fields behind it are numbered from 3.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  return { parent: field(4), user: field(14), system: field(15), ended: field(16) + field(17) };
}
