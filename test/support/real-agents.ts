/**
 * The two real CLIs of node_modules, made safe for a test: a home of their own under `.scratch` (Codex refuses
 * homes below the temporary directory), an environment built from nothing, and a fake model as their only server.
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
  existsSync,
} from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');
const MODULES = path.join(ROOT, 'node_modules');

export type Environment = { [name: string]: string };

export interface RealAgents extends AsyncDisposable {
  /** The folder of everything here; removed by {@link RealAgents.dispose}. */
  readonly root: string;
  /** An empty working directory. */
  readonly cwd: string;
  readonly claude: { readonly binary: string; readonly env: Environment };
  readonly codex: { readonly binary: string; readonly env: Environment; readonly home: string };
  dispose(): Promise<void>;
}

/** A fresh home for both agents, pointed at `url` (a fake model: `http://127.0.0.1:PORT`). */
export function realAgents(url: string): RealAgents {
  const scratch = path.join(ROOT, '.scratch');
  mkdirSync(scratch, { recursive: true });
  const root = realpathSync(mkdtempSync(path.join(scratch, 'agents-')));
  const [home, cwd, claudeHome, codexHome] = ['home', 'work', 'claude', 'codex'].map((name) =>
    path.join(root, name),
  ) as [string, string, string, string];
  for (const folder of [home, cwd, claudeHome, codexHome]) mkdirSync(folder);
  writeFileSync(path.join(codexHome, 'config.toml'), codexConfig(url));
  const base = baseEnvironment(home, scratch);
  const dispose = async (): Promise<void> =>
    rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  return {
    root,
    cwd,
    claude: { binary: claudeBinary(), env: { ...base, ...claudeEnvironment(url, claudeHome) } },
    codex: {
      binary: codexBinary(),
      env: { ...base, CODEX_HOME: codexHome, MOCK_KEY: 'made-up-key' },
      home: codexHome,
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** The part of a daemon's configuration that names them. */
export function agentConfig({ claude, codex }: Pick<RealAgents, 'claude' | 'codex'>): string {
  return `[agents.claude]\npath = "${claude.binary}"\n[agents.codex]\npath = "${codex.binary}"\n`;
}

/** `TEST_CLAUDE` names another version to be tried. Otherwise the native executable: npm hangs it into the package itself, beside the one of the platform's own package. */
export function claudeBinary(): string {
  const other = process.env['TEST_CLAUDE'];
  if (other !== undefined) return firstThere([other]);
  const vendor = path.join(MODULES, '@anthropic-ai');
  const name = process.platform === 'win32' ? 'claude.exe' : 'claude';
  return firstThere([
    ...[`-${process.platform}-${process.arch}`, `-${process.platform}-${process.arch}-musl`].map((suffix) =>
      path.join(vendor, `claude-code${suffix}`, name),
    ),
    path.join(vendor, 'claude-code/bin/claude.exe'),
  ]);
}

/** `TEST_CODEX` names another version to be tried. Otherwise the native executable behind the Node wrapper. */
export function codexBinary(): string {
  const other = process.env['TEST_CODEX'];
  if (other !== undefined) return firstThere([other]);
  const vendor = path.join(MODULES, '@openai', `codex-${process.platform}-${process.arch}`, 'vendor');
  const name = process.platform === 'win32' ? 'codex.exe' : 'codex';
  const targets = existsSync(vendor) ? readdirSync(vendor) : [];
  return firstThere(targets.map((target) => path.join(vendor, target, 'bin', name)));
}

function firstThere(candidates: readonly string[]): string {
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found === undefined)
    throw new Error(`No agent binary; looked at ${candidates.join(', ') || 'nothing'}`);
  return realpathSync(found);
}

/** From nothing: an inherited ANTHROPIC_*, CLAUDE*, OPENAI_* or CODEX_* would lead an agent to a real account. */
function baseEnvironment(home: string, scratch: string): Environment {
  const env: Environment = { HOME: home, GIT_CEILING_DIRECTORIES: scratch };
  for (const name of ['PATH', 'LANG', 'TERM']) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

function claudeEnvironment(url: string, configDir: string): Environment {
  return {
    CLAUDE_CONFIG_DIR: configDir,
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_API_KEY: 'sk-ant-made-up',
    DISABLE_TELEMETRY: '1',
    DISABLE_ERROR_REPORTING: '1',
    DISABLE_AUTOUPDATER: '1',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    // Root may only bypass permissions where it says that it is in a sandbox.
    IS_SANDBOX: '1',
  };
}

/** `gpt-5.5`: a model whose metadata this Codex knows, so that it offers apply_patch and warns of nothing. */
function codexConfig(url: string): string {
  return `model = "gpt-5.5"
model_provider = "mock"
check_for_update_on_startup = false

[analytics]
enabled = false

# At every start it would look for plugins on api.github.com.
[features]
plugins = false

[model_providers.mock]
name = "mock"
base_url = "${url}/v1"
env_key = "MOCK_KEY"
wire_api = "responses"
`;
}
