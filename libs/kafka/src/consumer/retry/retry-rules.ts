/**
 * Rules that the simulation switches off, one at a time, to prove that it notices. Nothing else may set one.
 * `docs/adr/0009` names the rule behind each.
 */
export type PlantedBug =
  | 'no-chain-gate'
  | 'no-fence'
  | 'no-ghosts'
  | 'early-main'
  | 'stale-pauses'
  | 'drop-below'
  | 'attempt-again'
  | 'no-ack'
  | 'lock-when-fetched'
  | 'commit-one-too-far'
  | 'join-unsaid'
  | 'due-forgotten'
  | 'own-gate'
  | 'own-gate-ghost'
  | 'late-gate'
  | 'map-lost'
  | 'ends-first'
  | 'state-kept'
  | 'hold-forgotten'
  | 'redrive-count-ignored';

/** Default limits of the former owner's acts; the sum is the takeover wait. */
export const defaultTakeover = { attemptMs: 5_000, appendMs: 3_000, marginMs: 2_000 } as const;
/** A longer wait leaves the lane's memory for the retry topic, where its due time survives a crash. */
export const defaultLongerThanMs = 10_000;
