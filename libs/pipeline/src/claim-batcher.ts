interface Waiting<Claim, Verdict> {
  readonly claims: readonly Claim[];
  readonly resolve: (verdicts: Verdict[]) => void;
  readonly reject: (error: unknown) => void;
}

const mostClaimsAtOnce = 500;
const mostBatchesAtOnce = 2;

/** Gathers the claims of concurrent records into few statements: a round trip each would cap their stage. */
export class ClaimBatcher<Claim, Verdict> {
  private waiting: Waiting<Claim, Verdict>[] = [];
  private running = 0;
  private scheduled = false;

  constructor(private readonly claimMany: (claims: readonly Claim[]) => Promise<Verdict[]>) {}

  /** Verdicts in the order of the claims. Fails as the database fails; nothing was claimed that is not found again. */
  claim(claims: readonly Claim[]): Promise<Verdict[]> {
    if (claims.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      this.waiting.push({ claims, resolve, reject });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled || this.running >= mostBatchesAtOnce || this.waiting.length === 0) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      void this.run(this.take());
      this.schedule();
    });
  }

  private take(): Waiting<Claim, Verdict>[] {
    let claims = 0;
    let count = 0;
    while (count < this.waiting.length && claims < mostClaimsAtOnce)
      claims += this.waiting[count++]?.claims.length ?? 0;
    return this.waiting.splice(0, count);
  }

  private async run(batch: readonly Waiting<Claim, Verdict>[]): Promise<void> {
    this.running += 1;
    try {
      const verdicts = await this.claimMany(batch.flatMap((one) => one.claims));
      let at = 0;
      for (const one of batch) {
        one.resolve(verdicts.slice(at, at + one.claims.length));
        at += one.claims.length;
      }
    } catch (error) {
      for (const one of batch) one.reject(error);
    } finally {
      this.running -= 1;
      this.schedule();
    }
  }
}
