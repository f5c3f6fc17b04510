/** `doctor`: agents, credentials (present or not, never what they are), disk, port, sandbox tools, Node; and what to do about what is missing. */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findAgents, portHolder, readConfig } from '../../daemon/index.ts';
import { messageOf } from '../../protocol/index.ts';
import type { Context } from '../context.ts';
import type { Finding } from '../doctor/finding.ts';
import { given } from '../doctor/given.ts';
import { machine } from '../doctor/machine.ts';
import { harmless } from '../output.ts';
import { answers, recordedDaemon } from '../launch.ts';

/** Versions that this version of Pilotlight was tested with. */
const TESTED: Readonly<Record<string, string>> = { claude: '2.1.330', codex: '0.169.0' };
const LOW_DISK_MB = 500;
const run_ = promisify(execFile);

export async function run(context: Context): Promise<number> {
  const findings = (
    await Promise.all([agents(context), disk(context), port(context), sandbox(context), given(context)])
  ).flat();
  findings.unshift(...node(), ...machine(context), ...doors(context));
  const { output } = context;
  const failed = findings.some((finding) => finding.state === 'missing');
  output.object({ ok: !failed, findings });
  for (const { what, state, says, fix } of findings) {
    const sign =
      state === 'ok'
        ? output.style('green', '✓')
        : state === 'warning'
          ? output.style('yellow', '!')
          : output.style('red', '✗');
    output.line(`${sign} ${what}: ${harmless(says)}`);
    if (fix !== undefined) output.line(`    ${fix}`);
  }
  return failed ? 1 : 0;
}

function node(): Finding[] {
  return [{ what: 'Node', state: 'ok', says: process.versions.node }];
}

async function agents(context: Context): Promise<Finding[]> {
  try {
    const found = await findAgents(readConfig(context.home, context.env), context.env);
    const some = found.some((agent) => agent.available);
    return found.map(({ id, available, path, version, problem }): Finding => {
      if (!available)
        return {
          what: id,
          state: some ? 'warning' : 'missing',
          says: problem ?? 'not found',
          fix: `Install it (npm install -g ${PACKAGES[id] ?? id}), or set agents.${id}.path in config.toml.`,
        };
      const tested = TESTED[id];
      const says = `${version ?? 'unknown version'} at ${path ?? '?'}`;
      if (version === tested) return { what: id, state: 'ok', says };
      return {
        what: id,
        state: 'warning',
        says: `${says}; tested with ${tested ?? 'none'}`,
        fix: 'It probably works; report it if not.',
      };
    });
  } catch (error) {
    return [{ what: 'configuration', state: 'missing', says: messageOf(error), fix: 'Mend config.toml.' }];
  }
}

const PACKAGES: Readonly<Record<string, string>> = {
  claude: '@anthropic-ai/claude-code',
  codex: '@openai/codex',
};

/** What lets others in. */
function doors({ home, env }: Context): Finding[] {
  const open = ['token', 'tokens.json', 'config.toml'].filter((name) => {
    const mode = statSync(join(home, name), { throwIfNoEntry: false })?.mode ?? 0;
    return (mode & (name === 'config.toml' ? 0o022 : 0o077)) !== 0;
  });
  const found = open.map((name): Finding => {
    const file = join(home, name);
    return {
      what: 'permissions',
      state: name === 'config.toml' ? 'warning' : 'missing',
      says: `others may ${name === 'config.toml' ? 'write' : 'read'} ${file}`,
      fix: `chmod 600 ${file}`,
    };
  });
  const host = hostOf(home, env);
  if (/^(?:localhost|::1|127(?:\.\d{1,3}){3})$/.test(host)) return found;
  const says = `server.host is ${host}: whoever reaches it and has a token runs commands here, and the token travels in the clear`;
  return [...found, { what: 'exposed', state: 'warning', says, fix: 'Put TLS in front of it.' }];
}

function hostOf(home: string, env: Context['env']): string {
  try {
    return readConfig(home, env).server.host;
  } catch {
    return 'localhost';
  }
}

async function disk({ home }: Context): Promise<Finding[]> {
  let folder = home;
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  try {
    const { bavail, bsize } = await statfs(folder);
    const mb = Math.round((bavail * bsize) / 1024 / 1024);
    if (mb >= LOW_DISK_MB) return [{ what: 'disk', state: 'ok', says: `${String(mb)} MB free for ${home}` }];
    return [
      {
        what: 'disk',
        state: 'warning',
        says: `only ${String(mb)} MB free for ${home}`,
        fix: '`pilotlight gc` removes old events; journal.maxMb bounds them.',
      },
    ];
  } catch (error) {
    return [{ what: 'disk', state: 'warning', says: messageOf(error) }];
  }
}

async function port(context: Context): Promise<Finding[]> {
  const running = await answers(context.home);
  if (running !== undefined)
    return [{ what: 'daemon', state: 'ok', says: `runs at ${running.url} (version ${running.version})` }];
  const silent = recordedDaemon(context.home);
  if (silent !== undefined)
    return [
      {
        what: 'daemon',
        state: 'missing',
        says: `process ${String(silent.pid)} holds the home and does not answer`,
        fix: '`pilotlight start --replace` ends it and takes over; its agents go on.',
      },
    ];
  const number = portOf(context);
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(number, '127.0.0.1', () => server.close(() => resolve(true)));
  });
  if (free) return [{ what: 'port', state: 'ok', says: `${String(number)} is free` }];
  const holder = portHolder({ host: '127.0.0.1', port: number });
  return [
    {
      what: 'port',
      state: 'warning',
      says: `${String(number)} is taken by ${holder === undefined ? 'another program' : `process ${String(holder.pid)} (${holder.command})`}`,
      fix: 'Set server.port in config.toml, or start with --port 0.',
    },
  ];
}

function portOf({ home, env }: Context): number {
  try {
    return readConfig(home, env).server.port;
  } catch {
    return 7433;
  }
}

async function sandbox({ env }: Context): Promise<Finding[]> {
  if (process.platform !== 'linux') return [];
  const found = (env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'bwrap'))
    .find(isExecutable);
  if (found === undefined)
    return [
      {
        what: 'bubblewrap',
        state: 'warning',
        says: 'not installed',
        fix: "Codex's sandbox is better with it: apt install bubblewrap.",
      },
    ];
  try {
    const { stdout } = await run_(found, ['--version'], { timeout: 3000 });
    return [{ what: 'bubblewrap', state: 'ok', says: stdout.trim() }];
  } catch (error) {
    return [{ what: 'bubblewrap', state: 'warning', says: messageOf(error) }];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
