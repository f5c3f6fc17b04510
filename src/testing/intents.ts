/**
 * What a person wants done (`run`, `write`, `read`, `ask`) as a call of a tool that this request offers.
 * Owns: the names and argument shapes of the tools of Claude Code and Codex.
 */
import type { Block, ModelRequest, ToolResult } from './script.ts';

export type Intent =
  | { readonly kind: 'run'; readonly command: string }
  | { readonly kind: 'write'; readonly path: string; readonly content: string }
  | { readonly kind: 'read'; readonly path: string }
  | { readonly kind: 'ask'; readonly question: string; readonly options: readonly string[] }
  /** Any tool by its own name, offered or not. */
  | { readonly kind: 'tool'; readonly name: string; readonly input: unknown };

type Call = Extract<Block, { readonly tool: string }>;

/** A tool call, or a sentence that says which tool is missing. */
export function blockFor(intent: Intent, request: ModelRequest): Block {
  const call = callFor(intent, new Set(request.tools.map((tool) => tool.name)));
  return call ?? { text: `No tool to ${intent.kind} with is offered.` };
}

function callFor(intent: Intent, has: ReadonlySet<string>): Call | undefined {
  switch (intent.kind) {
    case 'run':
      return shellCall(intent.command, has);
    case 'write':
      return writeCall(intent, has);
    case 'read':
      if (has.has('Read')) return { tool: 'Read', input: { file_path: intent.path } };
      return shellCall(`cat ${quoted(intent.path)}`, has);
    case 'ask':
      return askCall(intent, has);
    case 'tool':
      return { tool: intent.name, input: intent.input };
  }
}

function shellCall(command: string, has: ReadonlySet<string>): Call | undefined {
  if (has.has('Bash'))
    return { tool: 'Bash', input: { command, description: 'Run a command of the script' } };
  if (has.has('exec_command')) return { tool: 'exec_command', input: { cmd: command } };
  if (has.has('shell_command')) return { tool: 'shell_command', input: { command } };
  if (has.has('shell')) return { tool: 'shell', input: { command: ['bash', '-lc', command] } };
  return undefined;
}

function writeCall(intent: Extract<Intent, { kind: 'write' }>, has: ReadonlySet<string>): Call | undefined {
  const { path, content } = intent;
  if (has.has('Write')) return { tool: 'Write', input: { file_path: path, content } };
  const added = content.split('\n').map((line) => `+${line}`);
  const patch = ['*** Begin Patch', `*** Add File: ${path}`, ...added, '*** End Patch'].join('\n');
  if (has.has('apply_patch')) return { tool: 'apply_patch', input: patch };
  return shellCall(`apply_patch <<'END_OF_PATCH'\n${patch}\nEND_OF_PATCH`, has);
}

function askCall(intent: Extract<Intent, { kind: 'ask' }>, has: ReadonlySet<string>): Call | undefined {
  const options = intent.options.map((label) => ({ label, description: `Choose ${label}` }));
  const question = { question: intent.question, header: 'Question', options };
  if (has.has('AskUserQuestion')) {
    return { tool: 'AskUserQuestion', input: { questions: [{ ...question, multiSelect: false }] } };
  }
  if (!has.has('request_user_input')) return undefined;
  return { tool: 'request_user_input', input: { questions: [{ id: 'q1', ...question }] } };
}

/** Codex answers for a command that still runs with a session to poll; a model then waits for its end. */
export function pollFor(results: readonly ToolResult[], request: ModelRequest): Call[] {
  if (!request.tools.some((tool) => tool.name === 'write_stdin')) return [];
  return results.flatMap((result): Call[] => {
    const session = /Process running with session ID (\d+)/.exec(result.text)?.[1];
    if (session === undefined) return [];
    return [
      {
        tool: 'write_stdin',
        input: { session_id: Number(session), chars: '', yield_time_ms: 300_000 },
        again: true,
      },
    ];
  });
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`;
}
