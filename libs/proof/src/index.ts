export { type PartitionOffsets, type ProofPorts, prove } from './prove.js';
export * from './report.js';
