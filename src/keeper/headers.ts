/**
 * Checks the headers of frames: what came over the socket is trusted only after this. By hand, because the keeper must stay small.
 */
import type { ChildExit, ProcessIdentity } from '../process/ports.ts';
import type { KeptState, Order, Report, RestartCommand } from './frames.ts';

type Raw = Readonly<Record<string, unknown>>;

/** Throws on what is no order of this version. */
export function readOrder(raw: Raw): Order {
  const t = raw['t'];
  switch (t) {
    case 'hello': {
      const base = {
        t,
        v: num(raw, 'v'),
        secret: str(raw, 'secret'),
        generation: num(raw, 'generation'),
        pid: num(raw, 'pid'),
      } as const;
      return raw['restart'] === undefined ? base : { ...base, restart: restartOf(raw['restart']) };
    }
    case 'spawn':
      return {
        t,
        id: str(raw, 'id'),
        mark: str(raw, 'mark'),
        file: str(raw, 'file'),
        args: list(raw['args']),
        cwd: str(raw, 'cwd'),
        env: strings(raw['env']),
      };
    case 'attach':
      return { t, id: str(raw, 'id'), from: num(raw, 'from') };
    case 'write':
      return { t, id: str(raw, 'id'), n: num(raw, 'n') };
    case 'received':
    case 'ack':
      return { t, id: str(raw, 'id'), offset: num(raw, 'offset') };
    case 'turn':
      return { t, id: str(raw, 'id'), open: raw['open'] === true };
    case 'end':
    case 'forget':
      return { t, id: str(raw, 'id') };
    case 'restart':
      return { t, restart: restartOf(raw['restart']) };
    case 'detach':
    case 'stop':
      return { t };
    default:
      throw new Error(`unknown order ${String(t)}`);
  }
}

/** Undefined for a report that this version does not know: a newer keeper may say more. Throws on an ill-formed one. */
export function readReport(raw: Raw): Report | undefined {
  const t = raw['t'];
  switch (t) {
    case 'welcome':
      return {
        t,
        v: num(raw, 'v'),
        version: str(raw, 'version'),
        pid: num(raw, 'pid'),
        startTime: str(raw, 'startTime'),
        children: children(raw['children']),
      };
    case 'spawned':
      return { t, id: str(raw, 'id'), identity: identityOf(raw['identity']) };
    case 'spawn_failed': {
      const base = { t, id: str(raw, 'id'), message: str(raw, 'message') } as const;
      return typeof raw['fix'] === 'string' ? { ...base, fix: raw['fix'] } : base;
    }
    case 'out':
      return { t, id: str(raw, 'id'), offset: num(raw, 'offset') };
    case 'err':
      return { t, id: str(raw, 'id') };
    case 'wrote':
      return { t, id: str(raw, 'id'), n: num(raw, 'n') };
    case 'refused':
      return { t, id: str(raw, 'id'), n: num(raw, 'n'), last: num(raw, 'last'), reason: str(raw, 'reason') };
    case 'exit':
      return { t, id: str(raw, 'id'), exit: readExit(raw['exit']) };
    case 'stopped':
      return { t };
    default:
      return undefined;
  }
}

function record(value: unknown): Raw {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('not an object');
  return { ...value };
}

function str(raw: Raw, key: string): string {
  const value = raw[key];
  if (typeof value !== 'string') throw new Error(`${key} is not a string`);
  return value;
}

function num(raw: Raw, key: string): number {
  const value = raw[key];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new Error(`${key} is not a number`);
  return value;
}

function list(value: unknown): string[] {
  if (!Array.isArray(value)) throw new Error('not a list');
  return value.map((item: unknown) => {
    if (typeof item !== 'string') throw new Error('not a list of strings');
    return item;
  });
}

function strings(value: unknown): Record<string, string> {
  const raw = record(value);
  return Object.fromEntries(Object.keys(raw).map((key) => [key, str(raw, key)]));
}

function identityOf(value: unknown): ProcessIdentity {
  const raw = record(value);
  return { pid: num(raw, 'pid'), startTime: str(raw, 'startTime') };
}

function restartOf(value: unknown): RestartCommand {
  const raw = record(value);
  return { file: str(raw, 'file'), args: list(raw['args']), cwd: str(raw, 'cwd'), env: strings(raw['env']) };
}

function children(value: unknown): KeptState[] {
  if (!Array.isArray(value)) throw new Error('no list of children');
  return value.map((item: unknown) => {
    const raw = record(item);
    return { id: str(raw, 'id'), identity: identityOf(raw['identity']), lastWrite: num(raw, 'lastWrite') };
  });
}

export function readExit(value: unknown): ChildExit {
  const raw = record(value);
  const stuck = Array.isArray(raw['stuck']) ? raw['stuck'].map(identityOf) : [];
  const code = raw['code'];
  const signal = raw['signal'];
  return {
    code: typeof code === 'number' ? code : undefined,
    signal: typeof signal === 'string' ? signal : undefined,
    stderrTail: typeof raw['stderrTail'] === 'string' ? raw['stderrTail'] : '',
    stuck,
  };
}
