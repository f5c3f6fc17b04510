export {
  foundOf,
  groundOf,
  isConfigured,
  isListed,
  patternOf,
  rootsOf,
  workspaceOf,
  type Ground,
} from './trust.ts';
