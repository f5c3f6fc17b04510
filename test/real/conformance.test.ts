/** Both dialects on the real CLIs of node_modules, with the fake model. */
import { realClaude, realCodex, realSharedCodex } from '../conformance/reals.ts';
import { conformance } from '../conformance/suite.ts';

conformance('claude', { faults: false, wakes: true }, realClaude);
conformance('codex', { faults: false, wakes: false }, realCodex);
conformance('a seat of codex', { faults: false, wakes: false }, realSharedCodex);
