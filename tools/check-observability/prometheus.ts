import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePorts } from '../local-stack/index.js';
import { findPrometheus } from '../observability/prometheus-binaries.js';
import { renderRules } from '../observability/render-rules.js';
import type { Environment } from '../start/environment.js';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface FiringAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: string;
}

interface Answer<T> {
  readonly status: string;
  readonly error?: string;
  readonly data: T;
}

type Matrix = { readonly result: ReadonlyArray<{ readonly values: ReadonlyArray<readonly [number, string]> }> };
type Vector = {
  readonly result: ReadonlyArray<{
    readonly metric: Record<string, string>;
    readonly value: readonly [number, string];
  }>;
};

const readyWithinMs = 20_000;

/** A real Prometheus that scrapes every service once a second and evaluates our rules, their times divided. */
export class Prometheus {
  private constructor(private readonly url: string) {}

  static async start({ stack, services }: Environment, dividedBy: number): Promise<Prometheus> {
    const folder = stack.dataDir;
    writeFileSync(join(folder, 'rules.yaml'), renderRules({ dividedBy, intervalSeconds: 1 }));
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: ['rules.yaml'],
      scrape_configs: [...services.values()].map(({ name, url }) => ({
        job_name: name,
        static_configs: [{ targets: [new URL(url).host] }],
      })),
    };
    writeFileSync(join(folder, 'prometheus.yml'), stringify(config));
    const [port] = await freePorts(1);
    await stack.supervisor.spawn({
      name: 'prometheus',
      command: findPrometheus('prometheus'),
      args: [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'prometheus')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      env: {},
      cwd: folder,
      logFile: join(folder, 'logs/prometheus.log'),
      stopTimeoutMs: 10_000,
    });
    const prometheus = new Prometheus(`http://127.0.0.1:${port}`);
    await prometheus.untilReady(Date.now() + readyWithinMs);
    return prometheus;
  }

  async instant(query: string, atSeconds = Date.now() / 1000): Promise<Sample[]> {
    const { result } = await this.ask<Vector>('/api/v1/query', { query, time: String(atSeconds) });
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** How many values, not counting those that are no number, all series had in the time. */
  async countOfValues(query: string, fromSeconds: number, toSeconds: number): Promise<number> {
    const range = { query, start: String(fromSeconds), end: String(toSeconds), step: '2' };
    const { result } = await this.ask<Matrix>('/api/v1/query_range', range);
    return result.reduce(
      (sum, { values }) => sum + values.filter(([, text]) => Number.isFinite(Number(text))).length,
      0,
    );
  }

  /** Until so many targets have been scraped: what is counted before the first look at a counter is not seen as growth. */
  async untilScraped(targets: number, deadline: number): Promise<void> {
    for (;;) {
      const up = await this.instant('sum(up)');
      if (up[0]?.value === targets) return;
      if (Date.now() > deadline) throw new Error(`${up[0]?.value ?? 0} of ${targets} services could be scraped`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async firing(): Promise<FiringAlert[]> {
    const { alerts } = await this.ask<{ alerts: FiringAlert[] }>('/api/v1/alerts', {});
    return alerts.filter(({ state }) => state === 'firing');
  }

  private async untilReady(deadline: number): Promise<void> {
    for (;;) {
      const answer = await fetch(`${this.url}/-/ready`).catch(() => undefined);
      if (answer?.ok) return;
      if (Date.now() > deadline)
        throw new Error('Prometheus is not ready; logs/prometheus.log in the data folder says why');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  private async ask<T>(path: string, parameters: Readonly<Record<string, string>>): Promise<T> {
    const answer = await fetch(`${this.url}${path}?${new URLSearchParams(parameters)}`);
    const { status, error, data } = (await answer.json()) as Answer<T>;
    if (status !== 'success') throw new Error(`Prometheus refuses ${parameters.query ?? path}: ${error}`);
    return data;
  }
}
