export { type PartitionOffsets, type ProofPorts, type ProofScope, prove } from './prove.js';
export * from './report.js';
