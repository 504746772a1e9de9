import { type DynamicModule, Module } from '@nestjs/common';
import {
  PublishReceiver,
  type PublishReceiverPorts,
  WebhookReceiver,
  type WebhookReceiverPorts,
} from '@tributary/pipeline';

@Module({})
export class IngressModule {
  static with(webhooks: WebhookReceiverPorts, publish: PublishReceiverPorts): DynamicModule {
    return {
      module: IngressModule,
      providers: [
        { provide: WebhookReceiver, useFactory: () => new WebhookReceiver(webhooks) },
        { provide: PublishReceiver, useFactory: () => new PublishReceiver(publish) },
      ],
    };
  }
}
