/**
 * One random key for each home in the keyring of the system (Secret Service by `secret-tool`, the keychain of macOS by `security`): what lies in `secrets/` is
 * sealed with it. Owns how the tools are spoken to: the key goes by stdin, never in argv. A key is made only where nothing is sealed yet, so that a keyring
 * that is locked or elsewhere for once loses nothing.
 */
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { PilotlightError } from '../protocol/index.ts';
import { runCommand, type CommandSurroundings } from './command.ts';
import { passingHost } from './passing.ts';

interface Tool {
  readonly name: string;
  readonly install: string;
  readonly lookUp: (account: string) => readonly string[];
  readonly store: (
    account: string,
    value: string,
  ) => { readonly command: readonly string[]; readonly input: string };
  readonly clear: (account: string) => readonly string[];
}

const SECRET_TOOL: Tool = {
  name: 'secret-tool',
  install:
    'Install it (apt install libsecret-tools) and unlock a keyring (gnome-keyring, KWallet, KeePassXC)',
  lookUp: (account) => ['secret-tool', 'lookup', 'service', 'pilotlight', 'home', account],
  store: (account, value) => ({
    command: ['secret-tool', 'store', '--label=Pilotlight', 'service', 'pilotlight', 'home', account],
    input: value,
  }),
  clear: (account) => ['secret-tool', 'clear', 'service', 'pilotlight', 'home', account],
};

const KEYCHAIN: Tool = {
  name: 'security',
  install: 'It is part of macOS',
  lookUp: (account) => ['security', 'find-generic-password', '-s', 'pilotlight', '-a', account, '-w'],
  // Commands by stdin: its own flag for the value would show it in argv.
  store: (account, value) => ({
    command: ['security', '-i'],
    input: `add-generic-password -U -s pilotlight -a ${account} -l Pilotlight -w ${value}\n`,
  }),
  clear: (account) => ['security', 'delete-generic-password', '-s', 'pilotlight', '-a', account],
};

const KEY = /^[\da-f]{64}$/;
const MOST_BYTES = 4096;

export interface KeyringOptions {
  readonly at: CommandSurroundings;
  /** For each word with the tool, ms: a keyring may ask a person to unlock it. */
  readonly timeoutMs: number;
  readonly platform?: NodeJS.Platform;
}

/** The key of this home, 32 bytes. `needed`: something is sealed with it already. Throws `keyring_unavailable`, saying what to do. */
export async function homeKey(home: string, needed: boolean, options: KeyringOptions): Promise<Buffer> {
  const tool = toolOf(options);
  const found = await lookUp(tool, home, options);
  if (found !== undefined) return found;
  if (needed)
    throw unavailable(`The key of this home is not in the keyring, or that is locked (${tool.name})`, {
      fix: 'Unlock the keyring and start again. If the key is lost: remove the files of secrets/, and put credentials in anew.',
    });
  const made = randomBytes(32);
  await store(tool, { home, value: made.toString('hex') }, options);
  const kept = await lookUp(tool, home, options);
  if (kept?.equals(made) !== true)
    throw unavailable(`The keyring did not keep a key (${tool.name})`, {
      fix: `${tool.install}; \`pilotlight doctor\` tries it.`,
    });
  return made;
}

/** Puts something in, takes it out again and removes it; the name of the tool that did. Throws as {@link homeKey}. */
export async function tryKeyring(
  env: CommandSurroundings['env'],
  timeoutMs: number,
  platform = process.platform,
): Promise<string> {
  await using children = passingHost();
  const options: KeyringOptions = { at: { children, cwd: tmpdir(), env }, timeoutMs, platform };
  const tool = toolOf(options);
  const home = `doctor-${randomBytes(8).toString('hex')}`;
  await homeKey(home, false, options);
  await runCommand(tool.clear(home), { ...commandOf(options), failed: failedOf(tool) });
  return tool.name;
}

function toolOf({ platform = process.platform }: KeyringOptions): Tool {
  if (platform === 'darwin') return KEYCHAIN;
  if (platform === 'linux') return SECRET_TOOL;
  throw unavailable(`There is no keyring that Pilotlight knows on ${platform}`, {
    fix: 'Set secrets.store = "file".',
  });
}

async function lookUp(tool: Tool, home: string, options: KeyringOptions): Promise<Buffer | undefined> {
  let missing: PilotlightError | undefined;
  const failed = (why: string): Error => {
    const error = failedOf(tool)(why);
    // Both tools end with a code where there is nothing, and where they are not let in.
    if (!why.startsWith('ended with code')) missing = error;
    return error;
  };
  const printed = await runCommand(tool.lookUp(home), { ...commandOf(options), failed }).catch(() => '');
  if (missing !== undefined) throw missing;
  const text = printed.trim();
  return KEY.test(text) ? Buffer.from(text, 'hex') : undefined;
}

async function store(
  tool: Tool,
  { home, value }: { readonly home: string; readonly value: string },
  options: KeyringOptions,
): Promise<void> {
  const { command, input } = tool.store(home, value);
  const { at, bounds } = commandOf(options);
  await runCommand(command, { at, bounds: { ...bounds, input: Buffer.from(input) }, failed: failedOf(tool) });
}

function commandOf({ at, timeoutMs }: KeyringOptions): {
  readonly at: CommandSurroundings;
  readonly bounds: { readonly timeoutMs: number; readonly mostBytes: number };
} {
  return { at, bounds: { timeoutMs, mostBytes: MOST_BYTES } };
}

function failedOf({ name, install }: Tool): (why: string) => PilotlightError {
  return (why) =>
    unavailable(`The keyring of the system cannot be used: ${name} ${why}`, {
      fix: `${install}, or set secrets.store = "file" in config.toml.`,
    });
}

function unavailable(message: string, options: { readonly fix: string }): PilotlightError {
  return new PilotlightError('keyring_unavailable', message, options);
}
