/**
 * The `match` of a rule about fetching: `docs.rs`, `*.example.com`, `localhost:3000`. Hosts as browsers write them: small letters, punycode. Pure.
 */
import type { Fit, HostTarget } from './types.ts';
import { fitsText, wild, type Wild } from './wildcard.ts';

export interface HostPattern {
  readonly kind: 'host';
  readonly host: Wild;
  /** Undefined: any. */
  readonly port: string | undefined;
}

export function readHostPattern(text: string): HostPattern | { readonly problem: string } {
  const found = /^([a-z0-9.*_-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/i.exec(text);
  const host = found?.[1]?.toLowerCase();
  if (host === undefined)
    return {
      problem: 'names a host: docs.rs, *.example.com or localhost:3000, without https:// and without a path',
    };
  return { kind: 'host', host: wild(host), port: found?.[2] };
}

/** Undefined for what is not fetched by HTTP, and for an address that cannot be read. */
export function readHost(address: string): HostTarget | undefined {
  const url = URL.parse(address);
  if (url === null || !(url.protocol === 'https:' || url.protocol === 'http:')) return undefined;
  const host = url.hostname.replace(/\.$/, '');
  if (host === '') return undefined;
  return { kind: 'host', host, port: url.port || (url.protocol === 'https:' ? '443' : '80') };
}

export function fitsHost(pattern: HostPattern, target: HostTarget): Fit {
  const port = pattern.port === undefined || pattern.port === target.port;
  return port && fitsText(pattern.host, target.host) ? 'yes' : 'no';
}
