/**
 * What a run of the chaos suite has seen, and what it did: the oracle's only input, plain data.
 * Owns the shapes. Knows nothing of how they are gathered.
 */
import type { Event } from '../../support/daemon.ts';

export interface History {
  readonly sessions: readonly SessionHistory[];
  /** One who followed all sessions at once: ids are the journal's cursors. */
  readonly everywhere: Follower;
  readonly done: Done;
  /** Its bounds were of seconds: a busy machine may have met one, and a turn that failed for that has its reason. */
  readonly shortBounds: boolean;
  /** Its sessions had secrets: the end of a text in pieces waits while it may be the beginning of one, and comes with the whole. */
  readonly secrets: boolean;
  /** Processes of this home that were there after it was stopped. */
  readonly left: readonly { readonly pid: number; readonly command: string }[];
  readonly decoys: readonly Decoy[];
  /** What must never happen and was seen while it ran: answers 500, a daemon that did not come up. */
  readonly troubles: readonly Violation[];
}

/** How often each was done: what excuses a turn that did not complete. */
export interface Done {
  readonly daemonKills: number;
  readonly agentKills: number;
  readonly keeperKills: number;
  readonly agentStops: number;
  readonly daemonStops: number;
  readonly keeperStops: number;
  readonly detaches: number;
  readonly shutdowns: number;
  readonly diskFills: number;
}

export const NOTHING_DONE: Done = {
  daemonKills: 0,
  agentKills: 0,
  keeperKills: 0,
  agentStops: 0,
  daemonStops: 0,
  keeperStops: 0,
  detaches: 0,
  shutdowns: 0,
  diskFills: 0,
};

export interface SessionHistory {
  readonly id: string;
  readonly agent: string;
  /** Read from the journal's file after the end. */
  readonly journal: readonly Event[];
  /** The same by the API, before the daemon was stopped. */
  readonly shown: readonly Event[];
  readonly turns: readonly TurnSeen[];
  readonly messages: readonly Message[];
  readonly followers: readonly Follower[];
  /** What people answered to its agent's requests. */
  readonly answers: readonly Answered[];
  /** User messages in the order in which agents logged them. */
  readonly received: readonly Received[];
  /** Whether a client asked to interrupt a turn of it, or to close it. */
  readonly interrupted: boolean;
  readonly closed: boolean;
}

/** A turn as the API shows it. */
export interface TurnSeen {
  readonly id: string;
  readonly state: string;
  readonly endSeq?: number | undefined;
  readonly text?: string | undefined;
}

/** One message that a client sent, with every answer that it got for its key. */
export interface Message {
  /** Stands in the message's text and in no other's. */
  readonly marker: string;
  readonly input: string;
  readonly answers: readonly Answer[];
  /** The client never learned whether the message was taken: it may be, or not. */
  readonly unsure: boolean;
  /** Set while it was taken: nothing in the message itself keeps it from completing. */
  readonly calm: boolean;
  readonly expects: Expectation;
}

export interface Answer {
  readonly status: number;
  readonly turn?: string | undefined;
  readonly code?: string | undefined;
  /** What came of earlier tries with the same key. */
  readonly before?: readonly string[];
}

/** One person's answer to a request of an agent, and what came of it. */
export interface Answered {
  readonly request: string;
  readonly decision: string;
  readonly unsure: boolean;
  readonly status?: number;
  readonly code?: string | undefined;
  /** How it was resolved, as the answer says. */
  readonly told?: { readonly decision?: string; readonly by?: { readonly kind?: string } };
}

/** What a completed turn must have said. */
export type Expectation =
  | { readonly kind: 'nothing' }
  /** Nothing, and the pieces need not make the whole: the agent's own bytes are broken. */
  | { readonly kind: 'garbled' }
  /** These words and no others. */
  | { readonly kind: 'words'; readonly text: string }
  /** These somewhere. */
  | { readonly kind: 'has'; readonly text: string }
  /** Lines numbered from 0, none missing. */
  | { readonly kind: 'flood'; readonly lines: number };

/** A client that followed the events: one leg a connection. */
export interface Follower {
  readonly legs: readonly Leg[];
}

export interface Leg {
  readonly after: number;
  /** SSE id and event as they came. */
  readonly seen: readonly { readonly id: number; readonly event: Event }[];
  /** `stream.gap` and `stream.reset` that came: nothing was removed and nothing lost, so there must be none. */
  readonly breaks: readonly string[];
}

export interface Received {
  readonly pid: number;
  readonly text: string;
}

/** A process that is none of Pilotlight's business. */
export interface Decoy {
  readonly pid: number;
  readonly what: string;
  readonly alive: boolean;
  readonly signals: readonly string[];
}

export interface Violation {
  readonly promise: 'P1' | 'P2' | 'P3' | 'P4' | 'P5' | 'P6' | 'P8';
  readonly session?: string | undefined;
  readonly turn?: string | undefined;
  readonly what: string;
}
