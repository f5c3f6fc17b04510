import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_POOL_LIMITS } from '../pool/index.ts';
import { checkConfig, readConfig } from './config.ts';

let home: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'pilotlight-config-'));
});

afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

function written(toml: string): string {
  writeFileSync(join(home, 'config.toml'), toml);
  return home;
}

describe('pool', () => {
  test('nothing written: the defaults', () => {
    expect(readConfig(written(''), {}).pool).toEqual(DEFAULT_POOL_LIMITS);
  });

  test('variables win over the file', () => {
    const env = {
      AGENT_MAX_PERSISTENT: '3',
      AGENT_IDLE_TIMEOUT_MS: '1500',
      AGENT_DISABLE_PERSISTENT: '1',
    };
    const { pool } = readConfig(written('[pool]\nmaxWarm = 7\nwhenFull = "wait"'), env);
    expect(pool).toMatchObject({ maxWarm: 3, idleTimeoutMs: 1500, persistent: false, whenFull: 'wait' });
    expect(readConfig(home, { AGENT_DISABLE_PERSISTENT: '0' }).pool.persistent).toBe(true);
  });

  test.each(['0', '-1', 'NaN', 'Infinity', '1.5', '99999999999', 'many'])(
    'AGENT_MAX_PERSISTENT=%s is refused by the name of variable and key',
    (value) => {
      expect(() => readConfig(written(''), { AGENT_MAX_PERSISTENT: value })).toThrow(
        /pool\.maxWarm: .*\(from AGENT_MAX_PERSISTENT\)/,
      );
    },
  );

  test.each([
    ['maxWarm', '0'],
    ['maxWarm', 'nan'],
    ['idleTimeoutMs', '-5'],
    ['idleTimeoutMs', 'inf'],
    ['memoryBudgetMb', '0'],
    ['maxWaiting', '0'],
    ['maxPerMessage', '0'],
    ['maxPerMessage', '-1'],
    ['maxPerMessage', 'nan'],
    ['maxPerMessage', '10001'],
    ['recycleMb', '"600"'],
    ['recycleTurns', '0'],
    ['killMb', '-1'],
    ['backgroundMaxMs', '1e300'],
    ['whenFull', '"panic"'],
    ['persistent', '1'],
    ['blockedModels', '[""]'],
    ['spares', '-1'],
    ['spares', '1.5'],
    ['spares', '"many"'],
    ['spareForMs', '0'],
    ['spareRestMs', 'inf'],
  ])('%s = %s is refused by name', (key, value) => {
    expect(() => readConfig(written(`[pool]\n${key} = ${value}`), {})).toThrow(new RegExp(`pool\\.${key}`));
  });

  test('a program is held to the same bounds', () => {
    const config = readConfig(written(''), {});
    expect(() => checkConfig({ ...config, pool: { ...config.pool, maxWarm: 0 } })).toThrow(/pool\.maxWarm/);
  });
});

/** Every number that there is, by its table and key. */
function numbers(): [string, string][] {
  const config: Readonly<Record<string, unknown>> = { ...readConfig(written(''), {}) };
  return Object.entries(config).flatMap(([table, values]) =>
    typeof values === 'object' && values !== null
      ? Object.entries(values).flatMap(([key, value]): [string, string][] =>
          typeof value === 'number' ? [[table, key]] : [],
        )
      : [],
  );
}

test('every limit and bound there is refuses what is negative, no number or without end, by its name', () => {
  const all = numbers();
  expect(all.length).toBeGreaterThan(30);
  for (const [table, key] of all)
    for (const value of [
      ...(key.endsWith('Ms') ? ['0', '2147483648'] : []),
      '-1',
      'nan',
      'inf',
      '-inf',
      '1e300',
      '"5"',
      'true',
      '[]',
    ])
      expect(
        () => readConfig(written(`[${table}]\n${key} = ${value}`), {}),
        `${table}.${key} = ${value}`,
      ).toThrow(
        expect.objectContaining({
          code: 'bad_request',
          message: expect.stringContaining(`${table}.${key}`),
          fix: expect.stringMatching(/\w/),
        }),
      );
});

test('a home whose path Codex would take for a pattern is not said to be closed', () => {
  const odd = mkdtempSync(join(tmpdir(), 'pilotlight-[x]-'));
  try {
    writeFileSync(join(odd, 'config.toml'), '[agents.codex]\ncloseHome = true');
    expect(() => readConfig(odd, {})).toThrow(/agents\.codex\.closeHome cannot close .*\[x\]/);
    writeFileSync(join(odd, 'config.toml'), '[agents.codex]\ncloseHome = false');
    expect(readConfig(odd, {}).agents.codex).toEqual({ closeHome: false });
  } finally {
    rmSync(odd, { recursive: true, force: true });
  }
  expect(readConfig(written('[agents.codex]\ncloseHome = true'), {}).agents.codex?.closeHome).toBe(true);
});
