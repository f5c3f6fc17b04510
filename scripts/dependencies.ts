/**
 * `npm run check:dependencies`: whose code ends up in an installation, under which licence, and whether a known weakness is in it.
 *
 * Licences and origins are read from the lock file, offline; what is not on a list fails. The audit asks the registry (`npm audit --omit=dev`); where it
 * does not answer, that is said and nothing fails: a check that needs the network would be switched off by whoever has none.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Runtime dependencies, each for its own field. One more needs a decision note in docs/decisions. */
const RUNTIME = new Set([
  'hono',
  '@hono/node-server',
  '@hono/zod-openapi',
  'unbash',
  'zod',
  'ws',
  '@agentclientprotocol/sdk',
  '@modelcontextprotocol/sdk',
  'commander',
  'pino',
  'prom-client',
  'smol-toml',
  'eventsource-parser',
]);
const RUNTIME_SCOPES = ['@nats-io/'];

const PERMISSIVE = new Set([
  'MIT',
  'MIT-0',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'Unlicense',
]);

/** Tools of this checkout under other licences: used, never shipped. */
const TOOLS: readonly (readonly [RegExp, string])[] = [
  [/^@anthropic-ai\/claude-code/, 'the agent itself, for the tests on the real one'],
  [/^lightningcss/, 'MPL-2.0, unchanged, a part of the test runner'],
];

/** Advisories (GHSA-…) that were looked at and do not touch us, each with the reason. */
const ACCEPTED: Readonly<Record<string, string>> = {};

interface LockedPackage {
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly allowScripts?: Readonly<Record<string, boolean>>;
}

/** What is wrong, a sentence each. */
export function faultsOf(lock: Lock, manifest: Manifest): readonly string[] {
  return [
    ...Object.keys(manifest.dependencies ?? {})
      .filter((name) => !RUNTIME.has(name) && !RUNTIME_SCOPES.some((scope) => name.startsWith(scope)))
      .map((name) => `${name} is a new runtime dependency: that needs a decision note and a line in RUNTIME`),
    ...Object.entries(lock.packages).flatMap(([path, locked]) => packageFaults(path, locked, manifest)),
  ];
}

function packageFaults(path: string, locked: LockedPackage, { allowScripts = {} }: Manifest): string[] {
  const at = path.lastIndexOf('node_modules/');
  // The root and workspaces are ours.
  if (at === -1 || locked.link === true) return [];
  const name = path.slice(at + 'node_modules/'.length);
  const faults: string[] = [];
  const tool = locked.dev === true && TOOLS.some(([pattern]) => pattern.test(name));
  if (!tool && !isPermissive(locked.license))
    faults.push(`${name} is under ${locked.license ?? 'no licence'}, which is on no list`);
  if (locked.integrity === undefined) faults.push(`${name} has no integrity hash`);
  if (locked.resolved !== undefined && !locked.resolved.startsWith('https://registry.npmjs.org/'))
    faults.push(`${name} comes from ${locked.resolved}`);
  if (locked.hasInstallScript === true && allowScripts[name] !== true)
    faults.push(`${name} runs a script when it is installed`);
  return faults;
}

/** `(MIT OR GPL-3.0)` is as good as its best part, `MIT AND ISC` as its worst. */
function isPermissive(license: string | undefined): boolean {
  if (license === undefined) return false;
  const plain = license.replaceAll(/[()]/g, '');
  return plain.split(' OR ').some((part) => part.split(' AND ').every((one) => PERMISSIVE.has(one.trim())));
}

export type Audit =
  | { readonly kind: 'clean' }
  | { readonly kind: 'unknown'; readonly why: string }
  | { readonly kind: 'weak'; readonly advisories: readonly string[] };

/** What `npm audit --json` said. */
export function auditOf(output: string): Audit {
  let told: { vulnerabilities?: Record<string, { via?: unknown[] }>; message?: string };
  try {
    told = JSON.parse(output) as typeof told;
  } catch {
    return { kind: 'unknown', why: 'no answer' };
  }
  if (told.vulnerabilities === undefined) return { kind: 'unknown', why: told.message ?? 'no answer' };
  const advisories = Object.entries(told.vulnerabilities).flatMap(([name, { via = [] }]) =>
    via.flatMap((one) => {
      // A text names another package, which is in the list itself.
      if (typeof one !== 'object' || one === null) return [];
      const { url = '', title = '' } = one as { url?: string; title?: string };
      const id = /GHSA-[\w-]+/.exec(url)?.[0] ?? url;
      return id in ACCEPTED ? [] : [`${name}: ${title} (${id})`];
    }),
  );
  return advisories.length === 0 ? { kind: 'clean' } : { kind: 'weak', advisories };
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'));
}

function main(): number {
  const faults = faultsOf(read('package-lock.json') as Lock, read('package.json') as Manifest);
  for (const fault of faults) console.error(`dependencies: ${fault}`);
  const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
    encoding: 'utf8',
    timeout: 30_000,
    cwd: new URL('..', import.meta.url),
  });
  const audit = auditOf(stdout);
  switch (audit.kind) {
    case 'unknown':
      console.error(
        `dependencies: the registry could not be asked for advisories (${audit.why}): not audited`,
      );
      break;
    case 'weak':
      for (const advisory of audit.advisories) console.error(`dependencies: ${advisory}`);
      break;
    case 'clean':
      break;
  }
  return faults.length > 0 || audit.kind === 'weak' ? 1 : 0;
}

if (import.meta.main) process.exitCode = main();
