/**
 * The command line: which commands there are. Each is loaded when it is called, so that `--version` and `--help` are quick.
 */
import { Command, CommanderError } from 'commander';
import { VERSION } from '../protocol/version.ts';
import { explain, UsageError } from './exit.ts';
import type { Options } from './options.ts';
import { createOutput } from './output.ts';
import { guardPipes, written } from './pipe.ts';
import type { Context, GlobalOptions } from './context.ts';

type Run = (
  context: Context,
  args: readonly (string | undefined)[],
  options: Options,
) => Promise<number | undefined>;

/** Runs one command; resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  guardPipes();
  let code = 0;
  const program = build((result) => {
    code = result;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return written(code);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    // commander has told people; a program gets its one object.
    if (argv.includes('--json')) process.stdout.write(`${usageObject(error.message)}\n`);
    return 2;
  }
}

function usageObject(message: string): string {
  const fix = '`pilotlight --help` shows the commands.';
  const said = message === '(outputHelp)' ? 'a command is missing' : message.replace(/^error: /, '');
  return JSON.stringify({ error: { code: 'usage', message: said, fix } });
}

function build(done: (code: number) => void): Command {
  const program = new Command('pilotlight');
  program
    .description('Keeps coding agents alive between messages and never loses a turn.')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(`pilotlight --help` shows the commands)')
    .configureHelp({ showGlobalOptions: true });
  // Taken by the program, they stand before a command or behind it.
  for (const [flags, about] of GLOBAL) program.option(flags, about);
  const add = (spec: string, description: string, load: () => Promise<{ readonly run: Run }>): Command => {
    const command = program.command(spec).description(description);
    return command.action(async (...given: unknown[]) => {
      done(await act(command, given, load));
    });
  };
  daemonCommands(add);
  sessionCommands(add);
  workspaceCommands(add);
  otherCommands(add);
  return program;
}

const GLOBAL = [
  ['--json', 'one JSON object (or one line an event) on stdout'],
  ['--home <dir>', 'the home (default: PILOTLIGHT_HOME or ~/.pilotlight)'],
  ['--url <url>', 'another daemon'],
  ['--token-file <file>', 'the file with its token'],
] as const;

/** What they start, read or look at is here. With another daemon's address they would do it to the wrong one. */
const LOCAL_ONLY: ReadonlySet<string> = new Set(['start', 'restart', 'logs', 'doctor', 'demo', 'fake-model']);

type Add = (spec: string, description: string, load: () => Promise<{ readonly run: Run }>) => Command;

function daemonCommands(add: Add): void {
  add('start', 'start the daemon', () => import('./commands/start.ts'))
    .option('--foreground', 'in this terminal; Ctrl-C stops it')
    .option('--port <n>', 'port (default 7433; 0: any free one)')
    .option('--host <host>', 'address to listen on')
    .option('--expose', 'allow another address than loopback')
    .option('--replace', 'end a daemon that holds the home and does not answer');
  add(
    'stop',
    'finish running turns (30 s at most), end agents, keeper and daemon',
    () => import('./commands/stop.ts'),
  ).option('--now', 'do not wait for running turns');
  add(
    'restart',
    'a new daemon takes over; agents and running turns go on',
    () => import('./commands/restart.ts'),
  );
  add('status', 'daemon, pool, memory, sessions', () => import('./commands/status.ts'));
  add('logs', "the daemon's log", () => import('./commands/logs.ts')).option(
    '-f, --follow',
    'go on as it grows',
  );
  add('gc', 'retention now', () => import('./commands/gc.ts'));
  add('token <action> [id]', 'new, ls, revoke ID: scoped tokens', () => import('./commands/token.ts'))
    .option('--scope <scope...>', 'read, send, approve or admin; several may be given')
    .option('--expires <duration>', 'like 90m, 12h, 30d (default: never)')
    .option('--name <name>', 'stands in events and the audit log (default: its id)');
}

function workspaceCommands(add: Add): void {
  add(
    'trust [dir]',
    'from now on, what a repository brings along counts (default: the one here)',
    () => import('./commands/trust.ts'),
  )
    .option('--revoke', 'it does no longer')
    .option('--list', 'which are trusted');
}

function sessionOptions(command: Command): Command {
  return command
    .option('--agent <agent>', 'claude or codex')
    .option('--cwd <dir>', 'workspace (default: here)')
    .option('--model <model>', 'model')
    .option('--mode <mode>', 'default, acceptEdits, plan, readOnly or bypass')
    .option('--read-only [reason]', 'the session may not change anything')
    .option('--name <name>', 'a name for lists')
    .option('--resume <id>', "go on with this conversation: the agent's own session id")
    .option(
      '--env <name[=value]>',
      'a variable for the agent, kept as a secret; several times for several. NAME alone: yours',
      (one: string, all: readonly string[] | undefined) => [...(all ?? []), one],
    )
    .option('--trust', 'what the repository brings along (hooks, permissions, servers, instructions) counts')
    .option(
      '--mcp-config <file>',
      'MCP servers of the session, as JSON; `${NAME}` in it is a variable of yours',
    );
}

function sessionCommands(add: Add): void {
  sessionOptions(
    add(
      'run [prompt]',
      'one turn: creates a session or continues one, streams the answer',
      () => import('./commands/run.ts'),
    ),
  )
    .option('--session <id>', 'continue this session')
    .option('--keep', 'keep the session')
    .option('--ask <how>', 'wait: wait for answers to permission requests without a terminal');
  sessionOptions(add('new', 'create a session and print its id', () => import('./commands/new.ts')));
  add('ls', 'sessions', () => import('./commands/ls.ts')).option('--all', 'closed ones too');
  add('show <id>', 'one session', () => import('./commands/show.ts'));
  add('send <id> [text]', 'one more turn', () => import('./commands/send.ts'))
    .option('--when-busy <how>', 'reject, queue, steer or interrupt')
    .option('--no-wait', 'do not wait for the answer: print the id of the turn');
  add(
    'attach <id>',
    'follow live; typing sends, Ctrl-C interrupts, Ctrl-D leaves',
    () => import('./commands/attach.ts'),
  ).option('--from <seq>', 'begin behind this event');
  add('events <id>', 'the journal as JSON lines', () => import('./commands/events.ts'))
    .option('--from <seq>', 'begin behind this event')
    .option('--follow', 'go on live');
  add('export <id>', 'the conversation', () => import('./commands/export.ts')).option(
    '--markdown',
    'as Markdown',
  );
  add(
    'interrupt <id>',
    'end the running turn; the process stays warm',
    () => import('./commands/interrupt.ts'),
  ).option('--clear', 'what waits in the queue ends too');
  add('allow <id> <request>', "answer an agent's request: yes", () => import('./commands/allow.ts')).option(
    '--for-session',
    'and do not ask again for the same',
  );
  add('deny <id> <request>', "answer an agent's request: no", () => import('./commands/deny.ts')).option(
    '--message <text>',
    'what the agent reads',
  );
  add('close <id>', 'close a session and end its process', () => import('./commands/close.ts'));
}

function otherCommands(add: Add): void {
  add('doctor', 'what is there, what is missing, what to do', () => import('./commands/doctor.ts'));
  add('demo', 'a tour on the real CLIs and a local fake model', () => import('./commands/demo.ts'));
  add('fake-model', 'the fake model alone', () => import('./commands/fake-model.ts')).option(
    '--port <n>',
    'port (default: any free one)',
  );
}

async function act(
  command: Command,
  given: readonly unknown[],
  load: () => Promise<{ readonly run: Run }>,
): Promise<number> {
  const options: Options = command.optsWithGlobals();
  const args = given
    .slice(0, command.registeredArguments.length)
    .map((arg) => (typeof arg === 'string' ? arg : undefined));
  const json = options['json'] === true;
  try {
    if (options['tokenFile'] !== undefined && options['url'] === undefined)
      throw new UsageError('--token-file belongs to --url');
    if (options['url'] !== undefined && LOCAL_ONLY.has(command.name()))
      throw new UsageError(
        `\`${command.name()}\` is about this machine's own daemon: --url does not go with it`,
      );
    const [{ contextOf }, { run }] = await Promise.all([import('./context.ts'), load()]);
    return (await run(contextOf(globals(options)), args, options)) ?? 0;
  } catch (error) {
    return explain(error, createOutput({ json, streams: process, noColor: true }));
  }
}

function globals(options: Options): GlobalOptions {
  const text = (key: string): Record<string, string> => {
    const value = options[key];
    return typeof value === 'string' ? { [key]: value } : {};
  };
  return { json: options['json'] === true, ...text('home'), ...text('url'), ...text('tokenFile') };
}
