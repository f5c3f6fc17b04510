import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findAgent } from './find.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pilotlight-find-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** An agent that no machine has. */
const command = 'made-up-agent';
const find = (env: Record<string, string>, configured?: string) =>
  findAgent({ command, env, withVersion: true, ...(configured === undefined ? {} : { configured }) });

function place(text: string, mode: number): string {
  const path = join(folder, command);
  rmSync(path, { force: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

test('one that is nowhere: said where it was looked for, and what to do', async () => {
  for (const env of [{}, { PATH: '' }, { PATH: ':/nowhere:', HOME: '/nowhere' }])
    expect(await find(env)).toEqual({
      available: false,
      problem: `${command} was not found on PATH or in the usual folders: install it, or set agents.${command}.path in config.toml`,
    });
});

test('one that may not be executed is passed over on PATH, and named where it is configured', async () => {
  const path = place('#!/bin/sh\n', 0o644);
  expect((await find({ PATH: folder })).problem).toContain('was not found');
  expect((await find({}, path)).problem).toBe(
    `agents.${command}.path is ${path}, which is not an executable file`,
  );
});

test('one that does not start, and one that says no version: said by its path', async () => {
  const path = place('#!/bin/sh\nexit 3\n', 0o755);
  expect(await find({ PATH: folder })).toMatchObject({
    available: false,
    problem: expect.stringContaining(`${path} does not start`),
  });
  place('#!/bin/sh\necho hello\n', 0o755);
  expect(await find({ PATH: folder })).toMatchObject({
    available: true,
    problem: `${command} --version printed no version`,
  });
});
