/** The memory of one process tree as last looked at (R27). Owns the timer of the next look. */
import { after } from '../async/after.ts';
import type { ProcessIdentity } from '../process/ports.ts';

/** Looked at this long after a turn began or ended: not in the moments that count. */
const SAMPLE_AFTER_MS = 300;

export class Sampler {
  readonly #memory: (root: ProcessIdentity) => Promise<number | undefined>;
  readonly #onMeasured: () => void;
  #rssMb: number | undefined;
  #next: Disposable | undefined;

  /** `onMeasured`: a look that {@link soon} promised was had. */
  constructor(memory: (root: ProcessIdentity) => Promise<number | undefined>, onMeasured: () => void) {
    this.#memory = memory;
    this.#onMeasured = onMeasured;
  }

  /** MB. */
  get rssMb(): number | undefined {
    return this.#rssMb;
  }

  soon(root: ProcessIdentity): void {
    this.#next?.[Symbol.dispose]();
    this.#next = after(SAMPLE_AFTER_MS, () => void this.sample(root).then(this.#onMeasured));
  }

  async sample(root: ProcessIdentity): Promise<void> {
    const rssMb = await this.#memory(root);
    if (rssMb !== undefined) this.#rssMb = rssMb;
  }
}
