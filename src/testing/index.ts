/**
 * `pilotlight/testing`: a fake model for the real CLIs, for tests, demos and benchmarks.
 * The word language that it understands by default is described in docs/fake-model.md.
 */
export { type FakeModel, type FakeModelOptions, startFakeModel } from './fake-model.ts';
export type { KeepLimits } from './request-log.ts';
export {
  type Answer,
  type Block,
  bulk,
  type Failure,
  type ModelApi,
  type ModelRequest,
  type OfferedTool,
  type Pace,
  type Reply,
  type Rule,
  type Scenario,
  type ScenarioFunction,
  type SideKind,
  type Strikes,
  type ToolResult,
  type Usage,
} from './script.ts';
