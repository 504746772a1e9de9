import { type DynamicModule, Module } from '@nestjs/common';
import { EffectStore } from './effect-store.js';
import { FaultBoard } from './fault-board.js';
import { HttpReceiver } from './http-receiver.js';
import { OperatorController } from './operator.controller.js';
import { ReceiversController } from './receivers.controller.js';
import { Rules } from './settings.js';
import { SlackImitation } from './slack.js';

/** The vendors as far as we need them, in memory: for development and tests only. */
@Module({})
export class SandboxModule {
  static with(rules: Rules): DynamicModule {
    const store = new EffectStore();
    return {
      module: SandboxModule,
      controllers: [ReceiversController, OperatorController],
      providers: [
        { provide: Rules, useValue: rules },
        { provide: EffectStore, useValue: store },
        { provide: FaultBoard, useValue: new FaultBoard() },
        { provide: SlackImitation, useValue: new SlackImitation(store, rules) },
        { provide: HttpReceiver, useValue: new HttpReceiver(store, rules) },
      ],
    };
  }
}
