import { Controller, Headers, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { answerUnderFaults } from './answering.js';
import { FaultBoard } from './fault-board.js';
import { HttpReceiver } from './http-receiver.js';
import { SlackImitation } from './slack.js';

type RawRequest = FastifyRequest<{ Body: Buffer | undefined }>;
const empty = Buffer.alloc(0);

/** What destinations call. */
@Controller()
export class ReceiversController {
  constructor(
    private readonly faults: FaultBoard,
    private readonly slack: SlackImitation,
    private readonly http: HttpReceiver,
  ) {}

  @Post('api/chat.postMessage')
  async postMessage(@Req() request: RawRequest, @Res() reply: FastifyReply): Promise<void> {
    const { authorization, 'content-type': contentType } = request.headers;
    await answerUnderFaults(this.faults, 'slack', reply, () =>
      this.slack.postMessage(authorization, contentType, request.body ?? empty),
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
    await answerUnderFaults(this.faults, receiver, reply, () => this.http.receive(receiver, webhook));
  }
}
