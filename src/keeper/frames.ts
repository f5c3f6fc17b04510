/**
 * Frames between daemon and keeper on a Unix stream socket: u32 length of all that follows, u32 length of a JSON header, the header, body bytes.
 * Owns framing and the shapes of the headers (protocol version 1). What is malformed ends the connection.
 */
import type { Socket } from 'node:net';
import type { ChildExit, ProcessIdentity } from '../process/ports.ts';

export const PROTOCOL = 1;
/** A frame carries at most a prompt (10 MiB body, more when escaped) or a chunk of output. */
const MAX_FRAME = 64 * 1024 * 1024;

export interface RestartCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Daemon → keeper. */
export type Order =
  | {
      readonly t: 'hello';
      readonly v: number;
      readonly secret: string;
      readonly generation: number;
      /** The daemon's own. */
      readonly pid: number;
      readonly restart?: RestartCommand;
    }
  /** Body: the goodbye. */
  | {
      readonly t: 'spawn';
      readonly id: string;
      readonly mark: string;
      readonly file: string;
      readonly args: readonly string[];
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
    }
  | { readonly t: 'attach'; readonly id: string; readonly from: number }
  /** Body: the bytes. */
  | { readonly t: 'write'; readonly id: string; readonly n: number }
  | { readonly t: 'received'; readonly id: string; readonly offset: number }
  | { readonly t: 'ack'; readonly id: string; readonly offset: number }
  | { readonly t: 'turn'; readonly id: string; readonly open: boolean }
  | { readonly t: 'end'; readonly id: string }
  | { readonly t: 'forget'; readonly id: string }
  | { readonly t: 'restart'; readonly restart: RestartCommand }
  /** The daemon leaves on purpose: none is started in its place. */
  | { readonly t: 'detach' }
  /** End every child, then the keeper. */
  | { readonly t: 'stop' };

export interface KeptState {
  readonly id: string;
  readonly identity: ProcessIdentity;
  readonly lastWrite: number;
}

/** Keeper → daemon. */
export type Report =
  | {
      readonly t: 'welcome';
      readonly v: number;
      readonly version: string;
      readonly pid: number;
      readonly startTime: string;
      readonly children: readonly KeptState[];
    }
  | { readonly t: 'spawned'; readonly id: string; readonly identity: ProcessIdentity }
  | { readonly t: 'spawn_failed'; readonly id: string; readonly message: string; readonly fix?: string }
  /** Body: bytes of stdout. */
  | { readonly t: 'out'; readonly id: string; readonly offset: number }
  /** Body: bytes of stderr, as far as the socket takes them. */
  | { readonly t: 'err'; readonly id: string }
  | { readonly t: 'wrote'; readonly id: string; readonly n: number }
  | {
      readonly t: 'refused';
      readonly id: string;
      readonly n: number;
      readonly last: number;
      readonly reason: string;
    }
  | { readonly t: 'exit'; readonly id: string; readonly exit: ChildExit }
  | { readonly t: 'stopped' };

/** Bodies up to here are copied behind their header: one write of one piece costs less than one of three. Larger copies would be memory that only a collection frees. */
const MOST_COPIED = 2 * 1024;

function encode(header: Order | Report, body?: Uint8Array): Buffer[] {
  const head = JSON.stringify(header);
  const headBytes = Buffer.byteLength(head);
  const bodyBytes = body?.length ?? 0;
  const copied = bodyBytes <= MOST_COPIED ? bodyBytes : 0;
  const frame = Buffer.allocUnsafe(8 + headBytes + copied);
  frame.writeUInt32BE(4 + headBytes + bodyBytes, 0);
  frame.writeUInt32BE(headBytes, 4);
  frame.write(head, 8);
  if (body === undefined) return [frame];
  if (copied === bodyBytes) frame.set(body, 8 + headBytes);
  return copied === bodyBytes ? [frame] : [frame, Buffer.from(body.buffer, body.byteOffset, bodyBytes)];
}

/** Sends one frame; false when the socket holds more than it has sent. */
export function send(socket: Socket, header: Order | Report, body?: Uint8Array): boolean {
  if (socket.destroyed || !socket.writable) return false;
  const parts = encode(header, body);
  if (parts.length > 1) socket.cork();
  let free = true;
  for (const part of parts) free = socket.write(part);
  if (parts.length > 1) socket.uncork();
  return free;
}

export interface Frame {
  readonly header: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

/** Bytes → frames. Chunks are kept in a list and joined once per frame. Throws on what cannot be a frame. */
export class FrameReader {
  #parts: Buffer[] = [];
  #size = 0;
  #wanted: number | undefined;

  push(bytes: Buffer): Frame[] {
    this.#parts.push(bytes);
    this.#size += bytes.length;
    const frames: Frame[] = [];
    for (;;) {
      if (this.#wanted === undefined) {
        if (this.#size < 4) return frames;
        this.#wanted = this.#take(4).readUInt32BE(0);
        if (this.#wanted < 4 || this.#wanted > MAX_FRAME) throw new Error('not a frame');
      }
      if (this.#size < this.#wanted) return frames;
      frames.push(frameOf(this.#take(this.#wanted)));
      this.#wanted = undefined;
    }
  }

  #take(count: number): Buffer {
    const joined =
      this.#parts.length === 1 && this.#parts[0] !== undefined ? this.#parts[0] : Buffer.concat(this.#parts);
    const taken = joined.subarray(0, count);
    const rest = joined.subarray(count);
    this.#parts = rest.length === 0 ? [] : [rest];
    this.#size = rest.length;
    return taken;
  }
}

function frameOf(bytes: Buffer): Frame {
  const length = bytes.readUInt32BE(0);
  if (length > bytes.length - 4) throw new Error('not a frame');
  const header: unknown = JSON.parse(bytes.toString('utf8', 4, 4 + length));
  if (typeof header !== 'object' || header === null || !('t' in header)) throw new Error('not a header');
  return { header: { ...header }, body: bytes.subarray(4 + length) };
}
