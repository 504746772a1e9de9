export { type Json, type LedgerRow, leafHash, RowNotHashable, rowText } from './row.js';
