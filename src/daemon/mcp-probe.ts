/**
 * Tries an MCP server: started and greeted, then ended. Bounded in time and in what is read; says what came of it in words of ours.
 * Nothing of its definition is in the answer, and of what it printed only the name that it gives itself, masked.
 */
import { tmpdir } from 'node:os';
import { z } from 'zod';
import { within } from '../async/awake.ts';
import { newId, VERSION, type McpServer } from '../protocol/index.ts';
import { redactionOf } from '../redact/index.ts';
import { LineReader } from '../wire/lines.ts';
import { passingHost } from './passing.ts';

export interface Probed {
  readonly ok: boolean;
  readonly says: string;
}

const PATIENCE_MS = 10_000;
const MOST_BYTES = 1024 * 1024;
/** A greeting stands among the first lines. */
const MOST_LINES = 1000;

type Env = Readonly<Record<string, string | undefined>>;

export async function probeMcpServer(server: McpServer, env: Env, patienceMs = PATIENCE_MS): Promise<Probed> {
  const probed =
    server.type === 'http' ? await http(server, patienceMs) : await stdio(server, env, patienceMs);
  const secrets = Object.values((server.type === 'http' ? server.headers : server.env) ?? {});
  return { ...probed, says: redactionOf(secrets)?.mask(probed.says) ?? probed.says };
}

type Of<T extends 'http' | 'stdio'> = T extends 'http'
  ? Extract<McpServer, { type: 'http' }>
  : Exclude<McpServer, { type: 'http' }>;

async function stdio(server: Of<'stdio'>, env: Env, patienceMs: number): Promise<Probed> {
  await using children = passingHost();
  const answer = Promise.withResolvers<Probed>();
  const lines = new LineReader(MOST_BYTES);
  let seen = 0;
  const fails = (says: string): void => answer.resolve({ ok: false, says });
  try {
    const child = await children.spawn(
      {
        id: newId('rt'),
        file: server.command,
        args: server.args ?? [],
        cwd: tmpdir(),
        env: whole({ ...env, ...server.env }),
        goodbye: new Uint8Array(),
      },
      {
        out: (offset, bytes) => {
          for (const line of offset > MOST_BYTES ? [] : lines.push(bytes)) {
            seen += 1;
            if (seen > MOST_LINES) break;
            if (line.kind === 'line') greeted(line.text, answer.resolve);
          }
          if (offset > MOST_BYTES || seen > MOST_LINES) fails('floods its output');
          child?.received(offset + bytes.length);
        },
        stderr: () => undefined,
        wrote: () => undefined,
        refused: () => undefined,
        exit: ({ code, signal }) =>
          fails(`ended with ${signal ?? `code ${String(code)}`} before it answered`),
        lost: () => fails('was lost'),
      },
    );
    child.write(1, Buffer.from(`${JSON.stringify(INITIALIZE)}\n`));
    return await within(answer.promise, patienceMs, () => new Error(silent(patienceMs)));
  } catch (error) {
    return {
      ok: false,
      says:
        error instanceof Error && error.message === silent(patienceMs)
          ? error.message
          : 'could not be started',
    };
  }
}

async function http(server: Of<'http'>, patienceMs: number): Promise<Probed> {
  try {
    const response = await fetch(server.url, {
      method: 'POST',
      headers: {
        ...server.headers,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify(INITIALIZE),
      signal: AbortSignal.timeout(patienceMs),
    });
    await response.body?.cancel();
    if (response.ok) return { ok: true, says: 'answers' };
    const refused = response.status === 401 || response.status === 403;
    return {
      ok: false,
      says: `${refused ? 'refuses what it was given' : 'answers'} with status ${String(response.status)}`,
    };
  } catch (error) {
    const late = error instanceof Error && error.name === 'TimeoutError';
    return { ok: false, says: late ? silent(patienceMs) : 'cannot be reached' };
  }
}

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'pilotlight-doctor', version: VERSION },
  },
};

const Greeting = z.object({
  id: z.literal(1),
  result: z.object({ serverInfo: z.object({ name: z.string().max(100), version: z.string().max(100) }) }),
});

/** Other lines are passed over: some servers say something first. */
function greeted(line: string, tell: (probed: Probed) => void): void {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return;
  }
  const greeting = Greeting.safeParse(parsed);
  if (!greeting.success) return;
  const { name, version } = greeting.data.result.serverInfo;
  tell({ ok: true, says: `answers as ${name} ${version}` });
}

function silent(patienceMs: number): string {
  return `does not answer within ${String(patienceMs / 1000)} s`;
}

function whole(env: Env): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
