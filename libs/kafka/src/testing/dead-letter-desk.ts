import { holdMarks, redriveHeaders, retryHeaders } from '@tributary/contracts';
import { headerText, type OutgoingRecord } from '../records.js';

interface Letter {
  readonly id: string;
  readonly redriveCount: number;
}

/** The operator of a simulated world: what died and holds its key, each death of a record once. */
export class DeadLetterDesk {
  private readonly open: Letter[] = [];
  private readonly known = new Set<string>();

  get isClear(): boolean {
    return this.open.length === 0;
  }

  note({ value, headers = {} }: OutgoingRecord): void {
    if (headerText(headers, retryHeaders.hold) !== holdMarks.deadLetter) return;
    const letter = { id: String(value), redriveCount: Number(headerText(headers, redriveHeaders.count) ?? 0) };
    const name = `${letter.id} ${letter.redriveCount}`;
    // A crash between the dead letter and its hold writes it twice; a person decides once.
    if (this.known.has(name)) return;
    this.known.add(name);
    this.open.push(letter);
  }

  /** The oldest that nobody decided about. */
  take(): Letter | undefined {
    return this.open.shift();
  }
}
