/** HTTP as bytes: what a browser, a proxy or an attacker may send and no client library would. */
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  /** 0 when the connection ended without an answer. */
  readonly status: number;
  readonly head: string;
  readonly body: string;
  readonly text: string;
}

/** Sends bytes and reads until the connection ends, or `enough` is there. */
export async function sendRaw(
  at: number | string,
  bytes: string | Buffer,
  enough: (text: string) => boolean = () => false,
): Promise<RawAnswer> {
  const socket = openRaw(at);
  socket.write(bytes);
  return readRaw(socket, enough);
}

export function openRaw(at: number | string): Socket {
  const socket = typeof at === 'number' ? connect(at, '127.0.0.1') : connect(at);
  socket.on('error', () => undefined);
  return socket;
}

export async function readRaw(
  socket: Socket,
  enough: (text: string) => boolean = () => false,
): Promise<RawAnswer> {
  let text = '';
  try {
    for await (const chunk of socket) {
      text += String(chunk);
      if (enough(text)) break;
    }
  } catch {
    // Cut: what was read until then counts.
  }
  socket.destroy();
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
  return { status, head, body: rest.join('\r\n\r\n'), text };
}

/** A request as text; `lines` are its headers as they are sent. */
export function requestText(first: string, lines: readonly string[], body = ''): string {
  return `${[`${first} HTTP/1.1`, ...lines, '', ''].join('\r\n')}${body}`;
}
