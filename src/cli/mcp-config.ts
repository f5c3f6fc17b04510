/** `--mcp-config FILE`: the servers of a file as agents' own tools write it (`{"mcpServers": {…}}`, or the servers alone). Variables are the caller's. */
import { readFileSync } from 'node:fs';
import { McpServers, messageOf } from '../protocol/index.ts';
import { UsageError } from './exit.ts';

type Env = Readonly<Record<string, string | undefined>>;

export function mcpServersOf(file: string, env: Env): McpServers {
  const written = read(file);
  const servers = isRecord(written) && 'mcpServers' in written ? written['mcpServers'] : written;
  const parsed = McpServers.safeParse(filled(servers, env, file));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = (issue?.path ?? []).join('.');
  throw new UsageError(`${file}: ${where === '' ? '' : `${where}: `}${issue?.message ?? 'not valid'}`);
}

function read(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${messageOf(error)}`);
  }
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own words quote what may be a secret.
    throw new UsageError(`${file} is not JSON`);
  }
}

/** `${NAME}` and `${NAME:-default}` in every text, so that the file needs no secret. */
function filled(value: unknown, env: Env, file: string): unknown {
  if (typeof value === 'string')
    return value.replaceAll(
      /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
      (_whole, name: string, otherwise: string | undefined) => {
        const found = env[name] ?? otherwise;
        if (found === undefined) throw new UsageError(`${file} wants the variable ${name}, which is not set`);
        return found;
      },
    );
  if (Array.isArray(value)) return value.map((one) => filled(one, env, file));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, filled(one, env, file)]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
