/**
 * How far the daemon has each child's output, told to the keeper in few words: a turn comes in a dozen pieces, and a word about each would wake the keeper
 * a dozen times, in the way of what people wait for. What is not told yet is read again by the next daemon, which knows from the journal what it has.
 */
import { after } from '../async/after.ts';
import type { Order } from './frames.ts';

/** So much is told at once: flow control waits for it (the keeper lets a child run ahead by more than this). */
const STEP_BYTES = 64 * 1024;
const LATER_MS = 200;

interface Receipt {
  received: number;
  acknowledged: number;
  /** The highest that the keeper knows. */
  told: number;
}

export class Receipts {
  readonly #order: (order: Order) => void;
  readonly #receipts = new Map<string, Receipt>();
  readonly #untold = new Set<string>();
  #timer: Disposable | undefined;

  constructor(order: (order: Order) => void) {
    this.#order = order;
  }

  received(id: string, offset: number): void {
    const receipt = this.#of(id);
    receipt.received = Math.max(receipt.received, offset);
    this.#note(id, receipt, offset);
  }

  acknowledge(id: string, offset: number): void {
    const receipt = this.#of(id);
    receipt.acknowledged = Math.max(receipt.acknowledged, offset);
    this.#note(id, receipt, offset);
  }

  /** Tells all that is known. */
  flush(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    for (const id of this.#untold) this.#tell(id, this.#of(id));
  }

  forget(id: string): void {
    this.#receipts.delete(id);
    this.#untold.delete(id);
  }

  /** Nobody is there to be told. */
  drop(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#receipts.clear();
    this.#untold.clear();
  }

  #of(id: string): Receipt {
    let receipt = this.#receipts.get(id);
    if (receipt === undefined) this.#receipts.set(id, (receipt = { received: 0, acknowledged: 0, told: 0 }));
    return receipt;
  }

  #note(id: string, receipt: Receipt, offset: number): void {
    this.#untold.add(id);
    if (offset - receipt.told >= STEP_BYTES) this.#tell(id, receipt);
    else
      this.#timer ??= after(LATER_MS, () => {
        this.#timer = undefined;
        this.flush();
      });
  }

  #tell(id: string, receipt: Receipt): void {
    const { received, acknowledged } = receipt;
    this.#untold.delete(id);
    receipt.told = Math.max(received, acknowledged);
    // What is kept was received.
    if (acknowledged > 0) this.#order({ t: 'ack', id, offset: acknowledged });
    if (received > acknowledged) this.#order({ t: 'received', id, offset: received });
  }
}
