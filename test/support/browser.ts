/** A headless Chromium, driven over its debugging pipe: no port is opened for it, nothing of it is left behind. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { gone } from './daemon.ts';
import { marked } from './processes.ts';

type Json = Readonly<Record<string, unknown>>;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, any>; // oxlint-disable-line typescript/no-explicit-any -- looked at by who asked
  readonly sessionId?: string;
  readonly result?: Record<string, any>; // oxlint-disable-line typescript/no-explicit-any -- looked at by who asked
  readonly error?: { readonly message: string };
}

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function executable(): string {
  const places = (process.env['PATH'] ?? '').split(delimiter);
  for (const path of NAMES.flatMap((name) => places.map((place) => join(place, name)))) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Elsewhere.
    }
  }
  throw new Error('There is no Chromium: `bash scripts/setup` installs it');
}

export class Browser implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #in: Writable;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #listeners = new Set<(message: Message) => void>();
  #next = 1;

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    this.#in = child.stdio[3] as Writable;
    let rest = '';
    (child.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\0');
      rest = parts.pop() ?? '';
      for (const part of parts) this.#hear(JSON.parse(part));
    });
    child.once('exit', () => {
      for (const settle of this.#waiting.values()) settle({ error: { message: 'the browser is gone' } });
    });
  }

  static async start(flags: readonly string[] = []): Promise<Browser> {
    const profile = mkdtempSync(join(tmpdir(), 'pl-browser-'));
    const child = spawn(
      executable(),
      [
        '--headless',
        '--no-sandbox',
        '--no-first-run',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-proxy-server',
        '--remote-debugging-pipe',
        `--user-data-dir=${profile}`,
        ...flags,
        'about:blank',
      ],
      {
        env: { PATH: process.env['PATH'] ?? '', HOME: profile, LANG: 'C.UTF-8' },
        stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
        detached: true,
      },
    );
    const browser = new Browser(child, profile);
    await browser.send('Browser.getVersion');
    return browser;
  }

  /** A page that shows this address. `serve`: texts that the browser believes to have come from these addresses. */
  async page(url: string, serve: Readonly<Record<string, string>> = {}): Promise<Page> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, String(sessionId));
    await page.send('Page.enable');
    if (Object.keys(serve).length > 0) {
      this.on('Fetch.requestPaused', page.session, ({ requestId, request }) => {
        const body = Buffer.from(serve[request.url] ?? '').toString('base64');
        const responseHeaders = [{ name: 'content-type', value: 'text/html' }];
        void page.send('Fetch.fulfillRequest', { requestId, responseCode: 200, responseHeaders, body });
      });
      await page.send('Fetch.enable', { patterns: Object.keys(serve).map((urlPattern) => ({ urlPattern })) });
    }
    const loaded = this.event('Page.loadEventFired', page.session);
    await page.send('Page.navigate', { url });
    await loaded;
    return page;
  }

  async send(method: string, params: Json = {}, sessionId?: string): Promise<NonNullable<Message['result']>> {
    const id = this.#next++;
    const { promise, resolve } = Promise.withResolvers<Message>();
    this.#waiting.set(id, resolve);
    this.#in.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { result, error } = await promise;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  on(method: string, session: string, act: (params: NonNullable<Message['params']>) => void): void {
    this.#listeners.add((message) => {
      if (message.method === method && message.sessionId === session) act(message.params ?? {});
    });
  }

  event(method: string, session: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.on(method, session, () => {
      resolve();
    });
    return promise;
  }

  #hear(message: Message): void {
    if (message.id === undefined) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    this.#waiting.get(message.id)?.(message);
    this.#waiting.delete(message.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid !== undefined && exitCode === null && signalCode === null) {
      const exit = once(this.#child, 'exit');
      process.kill(-pid, 'SIGKILL');
      await exit;
    }
    // Its helpers see that it is gone, each in its own time.
    for (let left = marked(this.#profile); left.length > 0; left = marked(this.#profile))
      for (const identity of left) await gone(identity);
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

export class Page {
  readonly session: string;
  readonly #browser: Browser;

  constructor(browser: Browser, session: string) {
    this.#browser = browser;
    this.session = session;
  }

  send(method: string, params: Json = {}): Promise<NonNullable<Message['result']>> {
    return this.#browser.send(method, params, this.session);
  }

  /** The value of a call of one of the page's own functions. */
  async call(name: string, ...args: readonly unknown[]): Promise<unknown> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression: `${name}(...${JSON.stringify(args)})`,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  }
}
