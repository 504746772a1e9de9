import {
  BadRequestException,
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  Param,
  Post,
  Put,
  Query,
  Req,
} from '@nestjs/common';
import { type SendOrder, type SendReport, senders, sendFaults, sendWebhooks } from '@tributary/vendor-simulator';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { EffectStore } from './effect-store.js';
import { FaultBoard, faultOrder } from './fault-board.js';
import { Rules } from './settings.js';
import { SlackImitation } from './slack.js';

type RawRequest = FastifyRequest<{ Body: Buffer | undefined }>;

const sendOrder = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  secrets: z.array(z.string().min(1)).min(1),
  events: z
    .array(z.strictObject({ id: z.string().min(1), type: z.string().min(1), body: z.record(z.string(), z.unknown()) }))
    .max(10_000)
    .optional(),
  count: z.int().min(1).max(100_000).optional(),
  prefix: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/)
    .optional(),
  faults: z.array(z.enum(sendFaults)).min(1).optional(),
  concurrency: z.int().min(1).max(256).optional(),
});

const rulesOrder = z.strictObject({
  slackPerSecond: z.int().min(0).optional(),
  signingSecrets: z.array(z.string().min(1)).optional(),
});

/** What tests and people use to look inside, to break things and to have vendors send. */
@Controller()
export class OperatorController {
  constructor(
    private readonly store: EffectStore,
    private readonly faults: FaultBoard,
    private readonly slack: SlackImitation,
    private readonly rules: Rules,
  ) {}

  @Put('faults/:target')
  @HttpCode(204)
  postFault(@Param('target') target: string, @Req() request: RawRequest): void {
    this.faults.post(target, parsed(faultOrder, request));
  }

  @Put('rules')
  @HttpCode(204)
  changeRules(@Req() request: RawRequest): void {
    const order = parsed(rulesOrder, request);
    if (order.slackPerSecond !== undefined) this.rules.slackPerSecond = order.slackPerSecond;
    if (order.signingSecrets !== undefined) this.rules.signingSecrets = order.signingSecrets;
  }

  @Get('requests/:target')
  requests(@Param('target') target: string) {
    const { store } = this;
    return {
      ...store.summaryOf(target),
      early: store.earlyAt(target),
      log: store.requestsOf(target),
      answers: store.answersOf(target),
    };
  }

  /** `?summary=true` leaves out the list and the order: after a load test they are long. */
  @Get('effects/:target')
  effects(@Param('target') target: string, @Query('summary') summary?: string) {
    const counts = this.store.summaryOf(target);
    if (summary === 'true') return counts;
    return { ...counts, order: this.store.orderOf(target), list: this.store.effectsOf(target) };
  }

  @Delete('state')
  @HttpCode(204)
  clear(): void {
    this.store.clear();
    this.faults.clear();
    this.slack.reset();
  }

  @Post('send/:source')
  @HttpCode(200)
  async send(@Param('source') source: string, @Req() request: RawRequest): Promise<{ reports: readonly SendReport[] }> {
    if (!senders.has(source))
      throw new BadRequestException(`no sender imitates ${source}: ${[...senders.keys()].join(', ')}`);
    const order = { source, ...parsed(sendOrder, request) };
    return { reports: await sendWebhooks(order as SendOrder) };
  }

  @Get('health/live')
  live() {
    return { status: 'live' };
  }

  @Get('health/ready')
  ready() {
    return { status: 'ready' };
  }

  @Get('metrics')
  @Header('content-type', 'text/plain; version=0.0.4')
  metrics(): string {
    const lines = this.store.names.flatMap((target) => {
      const label = `{target="${target.replaceAll(/[\\"\n]/g, '_')}"}`;
      const { requests, effects, repeats } = this.store.summaryOf(target);
      return [
        `sandbox_requests_total${label} ${requests}`,
        `sandbox_effects_total${label} ${effects}`,
        `sandbox_repeats_total${label} ${repeats}`,
      ];
    });
    lines.push(`process_memory_usage_bytes ${process.memoryUsage.rss()}`);
    return `${lines.sort().join('\n')}\n`;
  }
}

function parsed<T>(schema: z.ZodType<T>, { body }: RawRequest): T {
  let value: unknown;
  try {
    value = JSON.parse(body?.toString('utf8') || '{}');
  } catch {
    throw new BadRequestException('the body is not JSON');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new BadRequestException(
    result.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`),
  );
}
