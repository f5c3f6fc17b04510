/** The shapes that a client expects, open to fields of a newer daemon: they are passed on, not dropped. */
import { z } from 'zod';
import {
  AgentView,
  CollectedView,
  NewToken,
  PermissionView,
  SessionView,
  StatusView,
  TokenView,
  TurnView,
  WorkspaceView,
  type Page,
} from '../protocol/index.ts';

export const Session: z.ZodType<SessionView> = SessionView.loose();
export const Turn: z.ZodType<TurnView> = TurnView.loose();
export const Status: z.ZodType<StatusView> = StatusView.loose();
export const Agents: z.ZodType<{ items: AgentView[] }> = z.object({ items: z.array(AgentView.loose()) });
export const Token: z.ZodType<TokenView> = TokenView.loose();
export const MadeToken: z.ZodType<NewToken> = NewToken.loose();
export const Workspace: z.ZodType<WorkspaceView> = WorkspaceView.loose();
export const Permission: z.ZodType<PermissionView> = PermissionView.loose();
export const Permissions: z.ZodType<{ items: PermissionView[] }> = z.object({
  items: z.array(PermissionView.loose()),
});
export const Health = z.looseObject({ status: z.literal('ok'), version: z.string() });
export type Health = z.infer<typeof Health>;
export const Collected: z.ZodType<CollectedView> = CollectedView.loose();
export const Nothing = z.unknown();

export function pageOf<T>(item: z.ZodType<T>): z.ZodType<Page<T>> {
  return z.object({ items: z.array(item), next: z.string().optional() });
}
