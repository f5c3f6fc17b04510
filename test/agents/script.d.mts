/** The parts of script.mjs that TypeScript tests use. */
export interface Fault {
  readonly name: string;
  readonly at: number | undefined;
  readonly argument: string | undefined;
}
export const TURN_FAULTS: readonly string[];
export const PROCESS_FAULTS: readonly string[];
export const START_FAULTS: readonly string[];
export function parseFaults(list: string): Fault[];
