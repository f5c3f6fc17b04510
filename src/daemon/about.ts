/** What a status says of the process that answers. */
import { performance } from 'node:perf_hooks';
import { VERSION, type StatusView } from '../protocol/index.ts';

const STARTED_AT = new Date(performance.timeOrigin).toISOString();

/** `home` is its directory, or `memory`. */
export function aboutThis(home: string, generation: number): StatusView['daemon'] {
  return {
    pid: process.pid,
    version: VERSION,
    startedAt: STARTED_AT,
    home,
    generation,
    rssMb: Math.round(process.memoryUsage.rss() / 1024 / 1024),
    state: 'running',
  };
}
