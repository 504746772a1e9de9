import { Controller, Headers, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { answerUnderFaults } from './answering.js';
import { EffectStore } from './effect-store.js';
import { FaultBoard } from './fault-board.js';
import { HttpReceiver } from './http-receiver.js';
import { channelIn, SlackImitation } from './slack.js';

type RawRequest = FastifyRequest<{ Body: Buffer | undefined }>;
const empty = Buffer.alloc(0);

/** What destinations call. */
@Controller()
export class ReceiversController {
  constructor(
    private readonly faults: FaultBoard,
    private readonly store: EffectStore,
    private readonly slack: SlackImitation,
    private readonly http: HttpReceiver,
  ) {}

  @Post('api/chat.postMessage')
  async postMessage(@Req() request: RawRequest, @Res() reply: FastifyReply): Promise<void> {
    const { authorization, 'content-type': contentType } = request.headers;
    const body = request.body ?? empty;
    const { faults, store } = this;
    await answerUnderFaults({ faults, store, target: 'slack', part: channelIn(body), reply }, () =>
      this.slack.postMessage(authorization, contentType, body),
    );
  }

  @Post('http/:receiver')
  async receive(
    @Param('receiver') receiver: string,
    @Headers() headers: Record<string, string | undefined>,
    @Req() request: RawRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const webhook = {
      id: headers['webhook-id'] ?? '',
      timestamp: headers['webhook-timestamp'] ?? '',
      signature: headers['webhook-signature'] ?? '',
      body: request.body ?? empty,
    };
    const { faults, store } = this;
    await answerUnderFaults({ faults, store, target: receiver, reply }, () => this.http.receive(receiver, webhook));
  }
}
