import { type DataKeyRef, type DataKeys, readingId } from './data-keys.js';
import type { PersonalFields } from './personal-fields.js';
import { generationOf, openPersonal } from './sealed-personal.js';

/** The columns of a ledger row that it takes. */
export interface SealedRow {
  readonly subject_index: Buffer | null;
  readonly personal: Buffer | null;
}

/** `none`: nothing personal was in the record. `erased`: its key is gone, or it came after its person was erased. */
export type PersonalReading =
  | { readonly state: 'none' }
  | { readonly state: 'open'; readonly fields: PersonalFields }
  | { readonly state: 'erased' };

/** Decrypts what is personal in ledger rows, as far as the keys are still there. */
export class PersonalReader {
  constructor(private readonly dataKeys: Pick<DataKeys, 'forReading'>) {}

  /** One question for all rows; the answers are in their order. @throws Error for a ciphertext that was altered. */
  async open(rows: readonly SealedRow[]): Promise<PersonalReading[]> {
    const keys = await this.dataKeys.forReading(rows.flatMap((row) => refOf(row) ?? []));
    return rows.map((row) => {
      if (!row.subject_index) return { state: 'none' };
      const ref = refOf(row);
      const key = ref && keys.get(readingId(ref));
      return key && row.personal ? { state: 'open', fields: openPersonal(key, row.personal) } : { state: 'erased' };
    });
  }
}

function refOf({ subject_index: index, personal }: SealedRow): DataKeyRef | undefined {
  return index && personal ? { index, generation: generationOf(personal) } : undefined;
}
