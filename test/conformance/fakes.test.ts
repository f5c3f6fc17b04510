/** Both dialects on the fake agents, the older Claude too: everything that the suite has. */
import { fakeClaude, fakeCodex, fakeSharedCodex } from './fakes.ts';
import { conformance } from './suite.ts';

conformance('claude on the fake agent', { faults: true, wakes: true }, () => fakeClaude());
conformance('claude 2.1.197 on the fake agent', { faults: true, wakes: true }, () => fakeClaude('old'));
conformance('codex on the fake agent', { faults: true, wakes: false }, () => fakeCodex());
conformance('a seat of codex on the fake agent', { faults: true, wakes: false }, () => fakeSharedCodex());
