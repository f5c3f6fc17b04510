/**
 * A process with a journal open, to be killed: `hold` says `open` and keeps it; `loop` commits one event after the other, every other one
 * to disk, and prints the seq of each that was acknowledged.
 */
import { openJournal } from '../../src/journal/index.ts';
import { write } from './journal-home.ts';

const [, , path, mode] = process.argv;
const journal = await openJournal({ path, keepDays: 30, maxMb: 1024, lockTimeoutMs: 2000 });
process.stdout.write('open\n');
if (mode === 'hold') setInterval(() => undefined, 1000);
else
  for (let seq = 1; ; seq += 1) {
    await journal.commit((draft) => {
      write(draft, 'ses_loop', [seq, seq], 'y'.repeat(200));
      if (seq % 2 === 0) draft.syncToDisk();
    });
    process.stdout.write(`${String(seq)}\n`);
  }
