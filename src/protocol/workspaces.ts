/** Trusted workspaces as the API shows them. */
import { z } from 'zod';

/** A directory in which agents take up what the repository brings along. */
export const WorkspaceView = z.object({
  /** The root of a repository, or a directory without one; by its real path. */
  path: z.string(),
  trustedAt: z.string(),
  /** Who said so. */
  by: z.string(),
});
export type WorkspaceView = z.infer<typeof WorkspaceView>;

export const TrustWorkspace = z.strictObject({
  /** A directory of the workspace. */
  path: z
    .string()
    .max(4096)
    .refine((path) => path.startsWith('/') && !path.includes('\0'), 'must be an absolute path'),
  /** False takes it off the list. */
  trusted: z.boolean(),
});
export type TrustWorkspace = z.infer<typeof TrustWorkspace>;
