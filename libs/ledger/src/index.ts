export {
  type Checkpoint,
  joinNotes,
  openCheckpoint,
  originOf,
  signCheckpoint,
  splitNotes,
  type TreeName,
} from './checkpoint/checkpoint.js';
export * from './checkpoint/keys.js';
export { NoteRefused } from './checkpoint/signed-note.js';
export { Frontier } from './merkle/frontier.js';
export type { RangeRoot } from './merkle/proofs.js';
export { isStoredLevel, rangeRoots } from './merkle/stored-tree.js';
export { type Json, type LedgerRow, leafHash, rowText } from './row.js';
