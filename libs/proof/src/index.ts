export type {
  Chain,
  OffsetSpan,
  PartitionOffsets,
  ProofPorts,
  ProofScope,
  StandingRecord,
  Surroundings,
} from './ports.js';
export { prove } from './prove.js';
export * from './report.js';
