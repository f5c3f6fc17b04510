/** What a case is: a name, the process that it wants, and what it does with it. */
import type { AgentSettings } from '../../../src/agents/dialect.ts';
import type { Agent, Installed } from '../agent.ts';
import type { Kit } from '../kit.ts';

/** Starts another process for this case alone; it is ended behind it. */
export type Start = (more?: Partial<AgentSettings>, of?: Installed) => Promise<Agent>;

interface Named {
  readonly name: string;
  /** Notices of things not understood that belong to this case; all others are faults. */
  readonly notices?: readonly string[];
  /** Sums that cannot come out, because the agent itself says two things. */
  readonly contradicts?: RegExp;
  /** The case is not of this agent. */
  readonly absent?: (kit: Traits) => boolean;
}

/** What is known of a kit before anything of it is started. */
export interface Traits {
  /** It has faults to switch on. */
  readonly faults: boolean;
  /** It works by itself when something in the background is over. */
  readonly wakes: boolean;
}

/** Runs on a process that others have used and others will: it leaves it idle, and proves thereby that it stays warm. */
export interface WarmCase extends Named {
  readonly on: 'bypass' | 'default';
  readonly run: (agent: Agent, kit: Kit) => Promise<void>;
}

/** Starts its own processes. */
export interface OwnCase extends Named {
  readonly on: 'own';
  readonly run: (start: Start, kit: Kit) => Promise<void>;
}

export type Case = WarmCase | OwnCase;
