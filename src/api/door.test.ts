import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PilotlightError } from '../protocol/index.ts';
import { checkDoor, type Door, type DoorHeaders } from './door.ts';

const loopback: Door = { kind: 'tcp', host: '127.0.0.1', port: 7433 };
const exposed: Door = { kind: 'tcp', host: '0.0.0.0', port: 7433, names: ['box.example'] };
const socket: Door = { kind: 'socket' };

function refusal(door: Door, headers: Partial<DoorHeaders> & { host: string }): string | undefined {
  try {
    checkDoor(door, { origin: undefined, fetchSite: undefined, ...headers });
    return undefined;
  } catch (error) {
    return error instanceof PilotlightError ? error.code : 'something else';
  }
}

describe('Host', () => {
  test.each(['127.0.0.1:7433', 'localhost:7433', 'LocalHost:7433', '[::1]:7433', '127.8.8.8:7433'])(
    '%s is ours',
    (host) => {
      expect(refusal(loopback, { host })).toBeUndefined();
    },
  );

  test.each([
    '',
    '127.0.0.1',
    'localhost:7434',
    'localhost:07433x',
    'evil.example:7433',
    'localhost.evil.example:7433',
    '127.0.0.1.evil.example:7433',
    '192.168.0.2:7433',
    'user@localhost:7433',
    'localhost:7433, evil.example',
    '[::2]:7433',
    '0.0.0.0:7433',
  ])('%s is refused', (host) => {
    expect(refusal(loopback, { host })).toBe('forbidden_host');
  });

  test('an exposed server takes addresses and its names, no other name', () => {
    expect(refusal(exposed, { host: '192.168.0.2:7433' })).toBeUndefined();
    expect(refusal(exposed, { host: '[fe80::1]:7433' })).toBeUndefined();
    expect(refusal(exposed, { host: 'box.example:7433' })).toBeUndefined();
    expect(refusal(exposed, { host: 'evil.example:7433' })).toBe('forbidden_host');
    expect(refusal(exposed, { host: 'box.example' })).toBeUndefined();
    expect(refusal(exposed, { host: 'box.example:1' })).toBe('forbidden_host');
    expect(refusal(exposed, { host: 'Box.Example', origin: 'https://box.example' })).toBeUndefined();
    expect(refusal(exposed, { host: 'box.example', origin: 'https://other.example' })).toBe(
      'forbidden_origin',
    );
  });

  test('a configured IPv6 address is written in brackets', () => {
    expect(refusal({ kind: 'tcp', host: 'fd00::5', port: 1 }, { host: '[fd00::5]:1' })).toBeUndefined();
  });

  test('port 80 may be left out', () => {
    expect(refusal({ kind: 'tcp', host: '127.0.0.1', port: 80 }, { host: 'localhost' })).toBeUndefined();
  });

  test.each([
    'localhost',
    '',
    'unix',
    'd',
    'pilotlight:80',
    '%2Ftmp%2Fdaemon.sock',
    'daemon.sock',
    '127.0.0.1:9000',
  ])('the socket takes %s', (host) => {
    expect(refusal(socket, { host })).toBeUndefined();
  });

  test('the socket refuses a domain: a forwarded port behind a rebound name', () => {
    expect(refusal(socket, { host: 'evil.example:9000' })).toBe('forbidden_host');
  });
});

describe('Origin and Sec-Fetch-Site', () => {
  const host = 'localhost:7433';

  test.each([loopback, socket])('$kind: our own pages may ask', (door) => {
    expect(
      refusal(door, { host, origin: 'http://localhost:7433', fetchSite: 'same-origin' }),
    ).toBeUndefined();
    expect(refusal(door, { host, fetchSite: 'none' })).toBeUndefined();
  });

  test.each([
    'null',
    '',
    'http://localhost:3000',
    'http://127.0.0.1:7433',
    'http://evil.example',
    'file://',
    'http://localhost:7433.evil.example',
  ])('%s is refused', (origin) => {
    expect(refusal(loopback, { host, origin })).toBe('forbidden_origin');
    expect(refusal(socket, { host, origin })).toBe('forbidden_origin');
  });

  test.each(['cross-site', 'same-site', 'whatever'])('a %s request is refused', (fetchSite) => {
    expect(refusal(loopback, { host, fetchSite })).toBe('forbidden_origin');
  });
});

describe('whatever is sent', () => {
  const near = fc.oneof(
    fc.constantFrom('localhost:7433', '127.0.0.1:7433', '[::1]:7433', '127.1.2.3:7433'),
    fc.string({ maxLength: 20 }),
    fc
      .tuple(fc.constantFrom('localhost:7433', '127.0.0.1:7433'), fc.nat(15), fc.string({ maxLength: 4 }))
      .map(([host, at, more]) => host.slice(0, at) + more + host.slice(at)),
    fc.webAuthority({ withPort: true }),
  );

  test('a Host that is let in names loopback and our port for every other reader too', () => {
    fc.assert(
      fc.property(near, (host) => {
        if (refusal(loopback, { host }) !== undefined) return;
        const url = new URL(`http://${host}/`);
        expect(url.hostname).toMatch(/^(?:localhost|\[::1\]|127\.\d+\.\d+\.\d+)$/);
        expect([url.port, url.username, url.password, url.pathname]).toEqual(['7433', '', '', '/']);
      }),
    );
  });

  test('an Origin that is let in is the one of this very address', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          near,
          near.map((host) => `http://${host}`),
        ),
        (origin) => {
          const host = 'localhost:7433';
          if (refusal(loopback, { host, origin }) !== undefined) return;
          expect(new URL(origin).host).toBe(host);
        },
      ),
    );
  });
});
