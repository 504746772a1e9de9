import type { DataKey } from '../personal/data-keys.js';
import type { PersonalFields } from '../personal/personal-fields.js';
import { sealPersonal } from '../personal/sealed-personal.js';

/** The columns of what is personal, as bytes for the table and as text for the hash. */
export interface PersonalColumns {
  readonly subjectIndex: Buffer;
  readonly subjectIndexText: string;
  /** Null when the person was erased before the record was written. */
  readonly personal: Buffer | null;
  readonly personalText: string | null;
}

/**
 * Most records tell nothing of their subject but its name. That is encrypted once for as long as its key is remembered: the
 * rows tell by their blind index anyway that they are about the same one.
 */
const nameAlone = new WeakMap<DataKey, PersonalColumns>();

/** @param fields undefined when they were erased before they were written. */
export function personalColumns(key: DataKey, fields: PersonalFields | undefined): PersonalColumns {
  if (!fields || !isNameAlone(fields)) return sealed(key, fields);
  const known = nameAlone.get(key);
  if (known) return known;
  const columns = sealed(key, fields);
  nameAlone.set(key, columns);
  return columns;
}

/** Keys of subjects are only ever asked for by the subject's name, so there is one name for a key. */
function isNameAlone(fields: PersonalFields): boolean {
  for (const name in fields) if (name !== 'subject') return false;
  return fields.subject !== undefined;
}

function sealed(key: DataKey, fields: PersonalFields | undefined): PersonalColumns {
  const personal = fields ? sealPersonal(key, fields) : null;
  return {
    subjectIndex: key.index,
    subjectIndexText: key.index.toString('base64'),
    personal,
    personalText: personal?.toString('base64') ?? null,
  };
}
