// Generated from libs/contracts/schemas by `npm run generate`. Do not edit.

/** One delivery that the router planned. */
export interface PlannedDelivery {
  /** Identity of the delivery and idempotency key at the destination. */
  deliveryId: string;
  /** Subscription that asked for it. */
  subscriptionId: string;
  /** Destination account. */
  connectionId: string;
  /** Slug of the destination. */
  destination: string;
  /** Operation of the destination. */
  operation: string;
}

/** A subscription to the event type that got no delivery, with the reason. */
export interface SkippedSubscription {
  /** The subscription. */
  subscriptionId: string;
  /** filter, inactive, or why the filter could not be evaluated. */
  reason: string;
}

/** One fact about one event: who did what, when, where, why, with what outcome. */
export interface AuditRecord {
  /** Deterministic: the same fact told twice has the same id. */
  auditId: string;
  /** ingress, normalizer, router, connector or operator. */
  stage: string;
  /** accepted, rejected, planned, attempted, settled, dead-lettered, redriven, discarded, applied, suspended, resumed. */
  action: string;
  /** What became of it; closed list per action. */
  outcome: string;
  /** Service or person that acted. */
  actor: string;
  /** Person or system on whose behalf. */
  onBehalfOf: string | null;
  /** Tenant. */
  tenant: string | null;
  /** When it happened. */
  occurredAt: number;
  /** Slug of the source. */
  source: string | null;
  /** Connection at which it happened. */
  connectionId: string | null;
  /** ce_source. */
  eventSource: string | null;
  /** ce_id. */
  eventId: string | null;
  /** ce_type. */
  eventType: string | null;
  /** ce_subject. */
  subject: string | null;
  /** What was acted on, for operations: kind:id. */
  entity: string | null;
  /** Delivery concerned. */
  deliveryId: string | null;
  /** Subscription concerned. */
  subscriptionId: string | null;
  /** Slug of the destination. */
  destination: string | null;
  /** Operation of the destination. */
  operation: string | null;
  /** Number of the attempt from 1; 0 where there is none. */
  attempt: number;
  /** Topic of the record this is about. */
  originTopic: string | null;
  /** Its partition. */
  originPartition: number;
  /** Its offset; -1 where there is none. */
  originOffset: number;
  /** Class of the failure. */
  errorClass: string | null;
  /** Code of the failure. */
  errorCode: string | null;
  /** Why, for a person. */
  reason: string | null;
  /** The destination's own id for what it did. */
  receipt: string | null;
  /** How long it took. */
  durationMs: number;
  /** SHA-256 of the value of the record, lower-case hex. */
  payloadDigest: string | null;
  /** W3C trace id. */
  traceId: string | null;
  /** Canonical events made of a raw record. */
  events: number;
  /** Deliveries planned for the event. */
  deliveries: PlannedDelivery[];
  /** Subscriptions to the type that got none. */
  skipped: SkippedSubscription[];
  /** Anything else, as text. */
  details: Record<string, string>;
}

/** A signed statement about the ledger: this tree of audit records had this root when it had this many leaves. */
export interface Checkpoint {
  /** Name of the tree: log, topic, partition and first offset. */
  origin: string;
  /** Partition of the audit topic. */
  partition: number;
  /** Offset of the first leaf. */
  firstOffset: number;
  /** Number of leaves. */
  size: number;
  /** Root of the tree (RFC 6962), base64. */
  rootHash: string;
  /** When it was signed. */
  signedAt: number;
  /** The signed note (C2SP tlog-checkpoint). Only this is signed; the other fields repeat it for readers. */
  note: string;
}

/** A paying customer. */
export interface Customer {
  /** The source's id of the customer. */
  customerId: string;
  /** E-mail address, lower case. */
  email: string | null;
  /** Name. */
  name: string | null;
  /** Telephone number. */
  phone: string | null;
  /** ISO 3166 alpha-2 code. */
  country: string | null;
  /** When it happened, by the clock of the source. */
  occurredAt: number | null;
}

/** An invoice. */
export interface Invoice {
  /** The source's id of the invoice. */
  invoiceId: string;
  /** Whom it is for. */
  customerId: string | null;
  /** Number printed on the invoice. */
  number: string | null;
  /** The source's word for its state. */
  status: string | null;
  /** Amount due. */
  amountDue: string | null;
  /** Amount paid. */
  amountPaid: string | null;
  /** ISO 4217 code, upper case. */
  currency: string | null;
  /** When it happened, by the clock of the source. */
  occurredAt: number | null;
}

/** A payment, or a refund of one. */
export interface Payment {
  /** The source's id of the payment. */
  paymentId: string;
  /** Who paid. */
  customerId: string | null;
  /** Invoice it settles. */
  invoiceId: string | null;
  /** Amount moved. */
  amount: string | null;
  /** ISO 4217 code, upper case. */
  currency: string | null;
  /** The source's word for its state. */
  status: string | null;
  /** Why it failed, when it did. */
  failureReason: string | null;
  /** When it happened, by the clock of the source. */
  occurredAt: number | null;
}

/** A key of the publish API, as a hash. */
export interface ApiKey {
  /** Key id: the part before the dot. */
  id: string;
  /** Tenant it publishes for. */
  tenant: string;
  /** SHA-256 of the whole key, lower-case hex. */
  hash: string;
  /** What it may do. */
  scopes: string[];
  /** Grows by one with every change. */
  version: number;
  /** When it was applied. */
  updatedAt: number;
  /** Who applied it. */
  updatedBy: string;
}

/** An account at a source or a destination. */
export interface Connection {
  /** Connection id. */
  id: string;
  /** Tenant id. */
  tenant: string;
  /** Slug of the source. */
  source: string | null;
  /** Slug of the destination. */
  destination: string | null;
  /** Settings, as JSON text. */
  settings: string;
  /** Secret references (never secrets), as JSON text. */
  secrets: string;
  /** Grows by one with every change. */
  version: number;
  /** When it was applied. */
  updatedAt: number;
  /** Who applied it. */
  updatedBy: string;
  /** What becomes of a delivery whose request was written and not answered: retry, drop or hold. Null: as the destination's definition says. */
  unknownOutcome: string | null;
  /** Limits of this connection (maxInFlight, perSecond, burst), as JSON text. Null: as the destination's definition says. */
  limits: string | null;
  /** What a dead letter means for what comes after it: continue, or hold until a person redrives or discards it. Null: as the destination's definition says. */
  onDead: string | null;
}

/** Which events go to which destination account, and how. */
export interface Subscription {
  /** Subscription id. */
  id: string;
  /** Tenant id. */
  tenant: string;
  /** Event types. */
  events: string[];
  /** CEL expression over event and data. */
  filter: string | null;
  /** Connection id of the destination account. */
  to: string;
  /** Operation of the destination. */
  operation: string;
  /** JSONata by field of the message, as JSON text. */
  mapping: string | null;
  /** Grows by one with every change. */
  version: number;
  /** When it was applied. */
  updatedAt: number;
  /** Who applied it. */
  updatedBy: string;
}

/** A connection that a person must look at: its records wait. */
export interface Suspension {
  /** Connection id. */
  connectionId: string;
  /** Why. */
  reason: string;
  /** Service or person. */
  suspendedBy: string;
  /** Since when. */
  suspendedAt: number;
  /** When it ends by itself; null when a person must end it. */
  until: number | null;
  /** Grows by one with every change. */
  version: number;
}

/** An event of a sender that has no definition of its own: its body is carried as JSON. */
export interface ExternalEvent {
  /** Type as the sender wrote it. */
  type: string;
  /** The data member of the body, as JSON text. */
  data: string;
  /** When it happened, by the clock of the sender. */
  occurredAt: number | null;
}

/** Something an operator should know. */
export interface OperationsEvent {
  /** connection.suspended, connection.resumed, partition.stopped. */
  kind: string;
  /** info, warning or critical. */
  severity: string;
  /** What it is about. */
  subject: string;
  /** For the person on call. */
  message: string;
  /** Tenant. */
  tenant: string | null;
  /** When. */
  occurredAt: number;
  /** Anything else, as text. */
  details: Record<string, string>;
}

/** A payroll run. */
export interface Payroll {
  /** The source's id of the payroll. */
  payrollId: string;
  /** The source's id of the company. */
  companyId: string | null;
  /** First day of the pay period, ISO 8601 date. */
  periodStart: string | null;
  /** Last day of the pay period, ISO 8601 date. */
  periodEnd: string | null;
  /** Pay day, ISO 8601 date. */
  checkDate: string | null;
  /** Total paid out. */
  total: string | null;
  /** ISO 4217 code, upper case. */
  currency: string | null;
  /** When it happened, by the clock of the source. */
  occurredAt: number | null;
}

/** An employee, as far as the source told us. */
export interface Employee {
  /** The source's id of the employee. */
  employeeId: string;
  /** The source's id of the employing company. */
  companyId: string | null;
  /** Given name. */
  firstName: string | null;
  /** Family name. */
  lastName: string | null;
  /** Work e-mail address. */
  workEmail: string | null;
  /** Job title. */
  title: string | null;
  /** Department. */
  department: string | null;
  /** Place of work. */
  location: string | null;
  /** First day of work, ISO 8601 date. */
  startDate: string | null;
  /** When it happened, by the clock of the source. */
  occurredAt: number | null;
}

/** What a source sent, exactly as it was received, before anything of ours looked into it. */
export interface RawRecord {
  /** When ingress had the whole body. */
  receivedAt: number;
  /** Slug of the source definition, for example gusto. */
  source: string;
  /** Id of the connection that received it. */
  connection: string;
  /** Tenant of that connection. */
  tenant: string;
  /** The source's event id, or the SHA-256 of the body where the source has none. */
  sourceEventId: string;
  /** The source's own event type; empty when the body could not be read. */
  sourceEventType: string;
  /** Request headers on the allow-list of the source definition, names in lower case. */
  headers: Record<string, string>;
  /** Content-Type as received; empty when absent. */
  contentType: string;
  /** True when the signature was right and the body unreadable: the normalizer dead-letters it. */
  malformed: boolean;
  /** The body, byte for byte. */
  body: Buffer;
}

/** An issue in a tracker or on a code host. */
export interface Issue {
  /** The source's id of the issue. */
  issueId: string;
  /** What people call it: owner/repo#7, OPS-7. */
  key: string | null;
  /** Title. */
  title: string | null;
  /** The source's word for its state. */
  state: string | null;
  /** Page of the issue. */
  url: string | null;
  /** Repository or project. */
  project: string | null;
  /** Login of who did it. */
  actor: string | null;
  /** When it happened, by the clock of the source. */
  occurredAt: number | null;
}

/** A pull request on a code host. */
export interface PullRequest {
  /** The source's id of the pull request. */
  pullRequestId: string;
  /** What people call it: owner/repo#7. */
  key: string | null;
  /** Title. */
  title: string | null;
  /** The source's word for its state. */
  state: string | null;
  /** True once merged. */
  merged: boolean;
  /** Page of the pull request. */
  url: string | null;
  /** Repository. */
  project: string | null;
  /** Login of who did it. */
  actor: string | null;
  /** When it happened, by the clock of the source. */
  occurredAt: number | null;
}

/** Commits pushed to a branch. */
export interface Push {
  /** Commit id the branch points to afterwards. */
  pushId: string;
  /** Full name of the branch or tag. */
  ref: string | null;
  /** Repository. */
  project: string | null;
  /** How many commits came with it. */
  commits: number;
  /** Page that compares before and after. */
  url: string | null;
  /** Login of who did it. */
  actor: string | null;
  /** When it happened, by the clock of the source. */
  occurredAt: number | null;
}

/** TypeScript type by full record name. */
export interface RecordTypes {
  "tributary.audit.AuditRecord": AuditRecord;
  "tributary.audit.Checkpoint": Checkpoint;
  "tributary.billing.Customer": Customer;
  "tributary.billing.Invoice": Invoice;
  "tributary.billing.Payment": Payment;
  "tributary.control.ApiKey": ApiKey;
  "tributary.control.Connection": Connection;
  "tributary.control.Subscription": Subscription;
  "tributary.control.Suspension": Suspension;
  "tributary.external.ExternalEvent": ExternalEvent;
  "tributary.operations.OperationsEvent": OperationsEvent;
  "tributary.payroll.Payroll": Payroll;
  "tributary.people.Employee": Employee;
  "tributary.raw.RawRecord": RawRecord;
  "tributary.work.Issue": Issue;
  "tributary.work.PullRequest": PullRequest;
  "tributary.work.Push": Push;
}
export type RecordName = keyof RecordTypes;

/** Every committed version of every schema, oldest first. */
export const schemas: Readonly<Record<RecordName, readonly object[]>> = {
  "tributary.audit.AuditRecord": [
    {
      "type": "record",
      "name": "AuditRecord",
      "namespace": "tributary.audit",
      "doc": "One fact about one event: who did what, when, where, why, with what outcome.",
      "fields": [
        {
          "name": "auditId",
          "type": "string",
          "default": "",
          "doc": "Deterministic: the same fact told twice has the same id."
        },
        {
          "name": "stage",
          "type": "string",
          "default": "",
          "doc": "ingress, normalizer, router, connector or operator."
        },
        {
          "name": "action",
          "type": "string",
          "default": "",
          "doc": "accepted, rejected, planned, attempted, settled, dead-lettered, redriven, discarded, applied, suspended, resumed."
        },
        {
          "name": "outcome",
          "type": "string",
          "default": "",
          "doc": "What became of it; closed list per action."
        },
        {
          "name": "actor",
          "type": "string",
          "default": "",
          "doc": "Service or person that acted."
        },
        {
          "name": "onBehalfOf",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Person or system on whose behalf."
        },
        {
          "name": "tenant",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Tenant."
        },
        {
          "name": "occurredAt",
          "type": {
            "type": "long",
            "logicalType": "timestamp-millis"
          },
          "default": 0,
          "doc": "When it happened."
        },
        {
          "name": "source",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Slug of the source."
        },
        {
          "name": "connectionId",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Connection at which it happened."
        },
        {
          "name": "eventSource",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "ce_source."
        },
        {
          "name": "eventId",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "ce_id."
        },
        {
          "name": "eventType",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "ce_type."
        },
        {
          "name": "subject",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "ce_subject.",
          "personal": true
        },
        {
          "name": "entity",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "What was acted on, for operations: kind:id."
        },
        {
          "name": "deliveryId",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Delivery concerned."
        },
        {
          "name": "subscriptionId",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Subscription concerned."
        },
        {
          "name": "destination",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Slug of the destination."
        },
        {
          "name": "operation",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Operation of the destination."
        },
        {
          "name": "attempt",
          "type": "int",
          "default": 0,
          "doc": "Number of the attempt from 1; 0 where there is none."
        },
        {
          "name": "originTopic",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Topic of the record this is about."
        },
        {
          "name": "originPartition",
          "type": "int",
          "default": 0,
          "doc": "Its partition."
        },
        {
          "name": "originOffset",
          "type": "long",
          "default": -1,
          "doc": "Its offset; -1 where there is none."
        },
        {
          "name": "errorClass",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Class of the failure."
        },
        {
          "name": "errorCode",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Code of the failure."
        },
        {
          "name": "reason",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Why, for a person.",
          "personal": true
        },
        {
          "name": "receipt",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "The destination's own id for what it did.",
          "personal": true
        },
        {
          "name": "durationMs",
          "type": "long",
          "default": 0,
          "doc": "How long it took."
        },
        {
          "name": "payloadDigest",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "SHA-256 of the value of the record, lower-case hex."
        },
        {
          "name": "traceId",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "W3C trace id."
        },
        {
          "name": "events",
          "type": "int",
          "default": 0,
          "doc": "Canonical events made of a raw record."
        },
        {
          "name": "deliveries",
          "type": {
            "type": "array",
            "items": {
              "type": "record",
              "name": "PlannedDelivery",
              "doc": "One delivery that the router planned.",
              "fields": [
                {
                  "name": "deliveryId",
                  "type": "string",
                  "default": "",
                  "doc": "Identity of the delivery and idempotency key at the destination."
                },
                {
                  "name": "subscriptionId",
                  "type": "string",
                  "default": "",
                  "doc": "Subscription that asked for it."
                },
                {
                  "name": "connectionId",
                  "type": "string",
                  "default": "",
                  "doc": "Destination account."
                },
                {
                  "name": "destination",
                  "type": "string",
                  "default": "",
                  "doc": "Slug of the destination."
                },
                {
                  "name": "operation",
                  "type": "string",
                  "default": "",
                  "doc": "Operation of the destination."
                }
              ]
            }
          },
          "default": [],
          "doc": "Deliveries planned for the event."
        },
        {
          "name": "skipped",
          "type": {
            "type": "array",
            "items": {
              "type": "record",
              "name": "SkippedSubscription",
              "doc": "A subscription to the event type that got no delivery, with the reason.",
              "fields": [
                {
                  "name": "subscriptionId",
                  "type": "string",
                  "default": "",
                  "doc": "The subscription."
                },
                {
                  "name": "reason",
                  "type": "string",
                  "default": "",
                  "doc": "filter, inactive, or why the filter could not be evaluated.",
                  "personal": true
                }
              ]
            }
          },
          "default": [],
          "doc": "Subscriptions to the type that got none."
        },
        {
          "name": "details",
          "type": {
            "type": "map",
            "values": "string"
          },
          "default": {},
          "doc": "Anything else, as text.",
          "personal": true
        }
      ]
    }
  ],
  "tributary.audit.Checkpoint": [
    {
      "type": "record",
      "name": "Checkpoint",
      "namespace": "tributary.audit",
      "doc": "A signed statement about the ledger: this tree of audit records had this root when it had this many leaves.",
      "fields": [
        {
          "name": "origin",
          "type": "string",
          "default": "",
          "doc": "Name of the tree: log, topic, partition and first offset."
        },
        {
          "name": "partition",
          "type": "int",
          "default": 0,
          "doc": "Partition of the audit topic."
        },
        {
          "name": "firstOffset",
          "type": "long",
          "default": 0,
          "doc": "Offset of the first leaf."
        },
        {
          "name": "size",
          "type": "long",
          "default": 0,
          "doc": "Number of leaves."
        },
        {
          "name": "rootHash",
          "type": "string",
          "default": "",
          "doc": "Root of the tree (RFC 6962), base64."
        },
        {
          "name": "signedAt",
          "type": {
            "type": "long",
            "logicalType": "timestamp-millis"
          },
          "default": 0,
          "doc": "When it was signed."
        },
        {
          "name": "note",
          "type": "string",
          "default": "",
          "doc": "The signed note (C2SP tlog-checkpoint). Only this is signed; the other fields repeat it for readers."
        }
      ]
    }
  ],
  "tributary.billing.Customer": [
    {
      "type": "record",
      "name": "Customer",
      "namespace": "tributary.billing",
      "doc": "A paying customer.",
      "fields": [
        {
          "name": "customerId",
          "type": "string",
          "default": "",
          "doc": "The source's id of the customer."
        },
        {
          "name": "email",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "E-mail address, lower case.",
          "personal": true
        },
        {
          "name": "name",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Name.",
          "personal": true
        },
        {
          "name": "phone",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Telephone number.",
          "personal": true
        },
        {
          "name": "country",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "ISO 3166 alpha-2 code."
        },
        {
          "name": "occurredAt",
          "type": [
            "null",
            {
              "type": "long",
              "logicalType": "timestamp-millis"
            }
          ],
          "default": null,
          "doc": "When it happened, by the clock of the source."
        }
      ]
    }
  ],
  "tributary.billing.Invoice": [
    {
      "type": "record",
      "name": "Invoice",
      "namespace": "tributary.billing",
      "doc": "An invoice.",
      "fields": [
        {
          "name": "invoiceId",
          "type": "string",
          "default": "",
          "doc": "The source's id of the invoice."
        },
        {
          "name": "customerId",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Whom it is for."
        },
        {
          "name": "number",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Number printed on the invoice."
        },
        {
          "name": "status",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "The source's word for its state."
        },
        {
          "name": "amountDue",
          "type": [
            "null",
            {
              "type": "bytes",
              "logicalType": "decimal",
              "precision": 20,
              "scale": 4
            }
          ],
          "default": null,
          "doc": "Amount due."
        },
        {
          "name": "amountPaid",
          "type": [
            "null",
            {
              "type": "bytes",
              "logicalType": "decimal",
              "precision": 20,
              "scale": 4
            }
          ],
          "default": null,
          "doc": "Amount paid."
        },
        {
          "name": "currency",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "ISO 4217 code, upper case."
        },
        {
          "name": "occurredAt",
          "type": [
            "null",
            {
              "type": "long",
              "logicalType": "timestamp-millis"
            }
          ],
          "default": null,
          "doc": "When it happened, by the clock of the source."
        }
      ]
    }
  ],
  "tributary.billing.Payment": [
    {
      "type": "record",
      "name": "Payment",
      "namespace": "tributary.billing",
      "doc": "A payment, or a refund of one.",
      "fields": [
        {
          "name": "paymentId",
          "type": "string",
          "default": "",
          "doc": "The source's id of the payment."
        },
        {
          "name": "customerId",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Who paid."
        },
        {
          "name": "invoiceId",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Invoice it settles."
        },
        {
          "name": "amount",
          "type": [
            "null",
            {
              "type": "bytes",
              "logicalType": "decimal",
              "precision": 20,
              "scale": 4
            }
          ],
          "default": null,
          "doc": "Amount moved."
        },
        {
          "name": "currency",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "ISO 4217 code, upper case."
        },
        {
          "name": "status",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "The source's word for its state."
        },
        {
          "name": "failureReason",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Why it failed, when it did."
        },
        {
          "name": "occurredAt",
          "type": [
            "null",
            {
              "type": "long",
              "logicalType": "timestamp-millis"
            }
          ],
          "default": null,
          "doc": "When it happened, by the clock of the source."
        }
      ]
    }
  ],
  "tributary.control.ApiKey": [
    {
      "type": "record",
      "name": "ApiKey",
      "namespace": "tributary.control",
      "doc": "A key of the publish API, as a hash.",
      "fields": [
        {
          "name": "id",
          "type": "string",
          "default": "",
          "doc": "Key id: the part before the dot."
        },
        {
          "name": "tenant",
          "type": "string",
          "default": "",
          "doc": "Tenant it publishes for."
        },
        {
          "name": "hash",
          "type": "string",
          "default": "",
          "doc": "SHA-256 of the whole key, lower-case hex."
        },
        {
          "name": "scopes",
          "type": {
            "type": "array",
            "items": "string"
          },
          "default": [],
          "doc": "What it may do."
        },
        {
          "name": "version",
          "type": "long",
          "default": 0,
          "doc": "Grows by one with every change."
        },
        {
          "name": "updatedAt",
          "type": {
            "type": "long",
            "logicalType": "timestamp-millis"
          },
          "default": 0,
          "doc": "When it was applied."
        },
        {
          "name": "updatedBy",
          "type": "string",
          "default": "",
          "doc": "Who applied it."
        }
      ]
    }
  ],
  "tributary.control.Connection": [
    {
      "type": "record",
      "name": "Connection",
      "namespace": "tributary.control",
      "doc": "An account at a source or a destination.",
      "fields": [
        {
          "name": "id",
          "type": "string",
          "default": "",
          "doc": "Connection id."
        },
        {
          "name": "tenant",
          "type": "string",
          "default": "",
          "doc": "Tenant id."
        },
        {
          "name": "source",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Slug of the source."
        },
        {
          "name": "destination",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Slug of the destination."
        },
        {
          "name": "settings",
          "type": "string",
          "default": "",
          "doc": "Settings, as JSON text."
        },
        {
          "name": "secrets",
          "type": "string",
          "default": "",
          "doc": "Secret references (never secrets), as JSON text."
        },
        {
          "name": "version",
          "type": "long",
          "default": 0,
          "doc": "Grows by one with every change."
        },
        {
          "name": "updatedAt",
          "type": {
            "type": "long",
            "logicalType": "timestamp-millis"
          },
          "default": 0,
          "doc": "When it was applied."
        },
        {
          "name": "updatedBy",
          "type": "string",
          "default": "",
          "doc": "Who applied it."
        }
      ]
    },
    {
      "type": "record",
      "name": "Connection",
      "namespace": "tributary.control",
      "doc": "An account at a source or a destination.",
      "fields": [
        {
          "name": "id",
          "type": "string",
          "default": "",
          "doc": "Connection id."
        },
        {
          "name": "tenant",
          "type": "string",
          "default": "",
          "doc": "Tenant id."
        },
        {
          "name": "source",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Slug of the source."
        },
        {
          "name": "destination",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Slug of the destination."
        },
        {
          "name": "settings",
          "type": "string",
          "default": "",
          "doc": "Settings, as JSON text."
        },
        {
          "name": "secrets",
          "type": "string",
          "default": "",
          "doc": "Secret references (never secrets), as JSON text."
        },
        {
          "name": "version",
          "type": "long",
          "default": 0,
          "doc": "Grows by one with every change."
        },
        {
          "name": "updatedAt",
          "type": {
            "type": "long",
            "logicalType": "timestamp-millis"
          },
          "default": 0,
          "doc": "When it was applied."
        },
        {
          "name": "updatedBy",
          "type": "string",
          "default": "",
          "doc": "Who applied it."
        },
        {
          "name": "unknownOutcome",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "What becomes of a delivery whose request was written and not answered: retry, drop or hold. Null: as the destination's definition says."
        },
        {
          "name": "limits",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Limits of this connection (maxInFlight, perSecond, burst), as JSON text. Null: as the destination's definition says."
        }
      ]
    },
    {
      "type": "record",
      "name": "Connection",
      "namespace": "tributary.control",
      "doc": "An account at a source or a destination.",
      "fields": [
        {
          "name": "id",
          "type": "string",
          "default": "",
          "doc": "Connection id."
        },
        {
          "name": "tenant",
          "type": "string",
          "default": "",
          "doc": "Tenant id."
        },
        {
          "name": "source",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Slug of the source."
        },
        {
          "name": "destination",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Slug of the destination."
        },
        {
          "name": "settings",
          "type": "string",
          "default": "",
          "doc": "Settings, as JSON text."
        },
        {
          "name": "secrets",
          "type": "string",
          "default": "",
          "doc": "Secret references (never secrets), as JSON text."
        },
        {
          "name": "version",
          "type": "long",
          "default": 0,
          "doc": "Grows by one with every change."
        },
        {
          "name": "updatedAt",
          "type": {
            "type": "long",
            "logicalType": "timestamp-millis"
          },
          "default": 0,
          "doc": "When it was applied."
        },
        {
          "name": "updatedBy",
          "type": "string",
          "default": "",
          "doc": "Who applied it."
        },
        {
          "name": "unknownOutcome",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "What becomes of a delivery whose request was written and not answered: retry, drop or hold. Null: as the destination's definition says."
        },
        {
          "name": "limits",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Limits of this connection (maxInFlight, perSecond, burst), as JSON text. Null: as the destination's definition says."
        },
        {
          "name": "onDead",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "What a dead letter means for what comes after it: continue, or hold until a person redrives or discards it. Null: as the destination's definition says."
        }
      ]
    }
  ],
  "tributary.control.Subscription": [
    {
      "type": "record",
      "name": "Subscription",
      "namespace": "tributary.control",
      "doc": "Which events go to which destination account, and how.",
      "fields": [
        {
          "name": "id",
          "type": "string",
          "default": "",
          "doc": "Subscription id."
        },
        {
          "name": "tenant",
          "type": "string",
          "default": "",
          "doc": "Tenant id."
        },
        {
          "name": "events",
          "type": {
            "type": "array",
            "items": "string"
          },
          "default": [],
          "doc": "Event types."
        },
        {
          "name": "filter",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "CEL expression over event and data."
        },
        {
          "name": "to",
          "type": "string",
          "default": "",
          "doc": "Connection id of the destination account."
        },
        {
          "name": "operation",
          "type": "string",
          "default": "",
          "doc": "Operation of the destination."
        },
        {
          "name": "mapping",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "JSONata by field of the message, as JSON text."
        },
        {
          "name": "version",
          "type": "long",
          "default": 0,
          "doc": "Grows by one with every change."
        },
        {
          "name": "updatedAt",
          "type": {
            "type": "long",
            "logicalType": "timestamp-millis"
          },
          "default": 0,
          "doc": "When it was applied."
        },
        {
          "name": "updatedBy",
          "type": "string",
          "default": "",
          "doc": "Who applied it."
        }
      ]
    }
  ],
  "tributary.control.Suspension": [
    {
      "type": "record",
      "name": "Suspension",
      "namespace": "tributary.control",
      "doc": "A connection that a person must look at: its records wait.",
      "fields": [
        {
          "name": "connectionId",
          "type": "string",
          "default": "",
          "doc": "Connection id."
        },
        {
          "name": "reason",
          "type": "string",
          "default": "",
          "doc": "Why."
        },
        {
          "name": "suspendedBy",
          "type": "string",
          "default": "",
          "doc": "Service or person."
        },
        {
          "name": "suspendedAt",
          "type": {
            "type": "long",
            "logicalType": "timestamp-millis"
          },
          "default": 0,
          "doc": "Since when."
        },
        {
          "name": "until",
          "type": [
            "null",
            {
              "type": "long",
              "logicalType": "timestamp-millis"
            }
          ],
          "default": null,
          "doc": "When it ends by itself; null when a person must end it."
        },
        {
          "name": "version",
          "type": "long",
          "default": 0,
          "doc": "Grows by one with every change."
        }
      ]
    }
  ],
  "tributary.external.ExternalEvent": [
    {
      "type": "record",
      "name": "ExternalEvent",
      "namespace": "tributary.external",
      "doc": "An event of a sender that has no definition of its own: its body is carried as JSON.",
      "fields": [
        {
          "name": "type",
          "type": "string",
          "default": "",
          "doc": "Type as the sender wrote it."
        },
        {
          "name": "data",
          "type": "string",
          "default": "",
          "doc": "The data member of the body, as JSON text.",
          "personal": true
        },
        {
          "name": "occurredAt",
          "type": [
            "null",
            {
              "type": "long",
              "logicalType": "timestamp-millis"
            }
          ],
          "default": null,
          "doc": "When it happened, by the clock of the sender."
        }
      ]
    }
  ],
  "tributary.operations.OperationsEvent": [
    {
      "type": "record",
      "name": "OperationsEvent",
      "namespace": "tributary.operations",
      "doc": "Something an operator should know.",
      "fields": [
        {
          "name": "kind",
          "type": "string",
          "default": "",
          "doc": "connection.suspended, connection.resumed, partition.stopped."
        },
        {
          "name": "severity",
          "type": "string",
          "default": "",
          "doc": "info, warning or critical."
        },
        {
          "name": "subject",
          "type": "string",
          "default": "",
          "doc": "What it is about."
        },
        {
          "name": "message",
          "type": "string",
          "default": "",
          "doc": "For the person on call."
        },
        {
          "name": "tenant",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Tenant."
        },
        {
          "name": "occurredAt",
          "type": {
            "type": "long",
            "logicalType": "timestamp-millis"
          },
          "default": 0,
          "doc": "When."
        },
        {
          "name": "details",
          "type": {
            "type": "map",
            "values": "string"
          },
          "default": {},
          "doc": "Anything else, as text."
        }
      ]
    }
  ],
  "tributary.payroll.Payroll": [
    {
      "type": "record",
      "name": "Payroll",
      "namespace": "tributary.payroll",
      "doc": "A payroll run.",
      "fields": [
        {
          "name": "payrollId",
          "type": "string",
          "default": "",
          "doc": "The source's id of the payroll."
        },
        {
          "name": "companyId",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "The source's id of the company."
        },
        {
          "name": "periodStart",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "First day of the pay period, ISO 8601 date."
        },
        {
          "name": "periodEnd",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Last day of the pay period, ISO 8601 date."
        },
        {
          "name": "checkDate",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Pay day, ISO 8601 date."
        },
        {
          "name": "total",
          "type": [
            "null",
            {
              "type": "bytes",
              "logicalType": "decimal",
              "precision": 20,
              "scale": 4
            }
          ],
          "default": null,
          "doc": "Total paid out."
        },
        {
          "name": "currency",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "ISO 4217 code, upper case."
        },
        {
          "name": "occurredAt",
          "type": [
            "null",
            {
              "type": "long",
              "logicalType": "timestamp-millis"
            }
          ],
          "default": null,
          "doc": "When it happened, by the clock of the source."
        }
      ]
    }
  ],
  "tributary.people.Employee": [
    {
      "type": "record",
      "name": "Employee",
      "namespace": "tributary.people",
      "doc": "An employee, as far as the source told us.",
      "fields": [
        {
          "name": "employeeId",
          "type": "string",
          "default": "",
          "doc": "The source's id of the employee."
        },
        {
          "name": "companyId",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "The source's id of the employing company."
        },
        {
          "name": "firstName",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Given name.",
          "personal": true
        },
        {
          "name": "lastName",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Family name.",
          "personal": true
        },
        {
          "name": "workEmail",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Work e-mail address.",
          "personal": true
        },
        {
          "name": "title",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Job title."
        },
        {
          "name": "department",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Department."
        },
        {
          "name": "location",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Place of work."
        },
        {
          "name": "startDate",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "First day of work, ISO 8601 date."
        },
        {
          "name": "occurredAt",
          "type": [
            "null",
            {
              "type": "long",
              "logicalType": "timestamp-millis"
            }
          ],
          "default": null,
          "doc": "When it happened, by the clock of the source."
        }
      ]
    }
  ],
  "tributary.raw.RawRecord": [
    {
      "type": "record",
      "name": "RawRecord",
      "namespace": "tributary.raw",
      "doc": "What a source sent, exactly as it was received, before anything of ours looked into it.",
      "fields": [
        {
          "name": "receivedAt",
          "type": {
            "type": "long",
            "logicalType": "timestamp-millis"
          },
          "default": 0,
          "doc": "When ingress had the whole body."
        },
        {
          "name": "source",
          "type": "string",
          "default": "",
          "doc": "Slug of the source definition, for example gusto."
        },
        {
          "name": "connection",
          "type": "string",
          "default": "",
          "doc": "Id of the connection that received it."
        },
        {
          "name": "tenant",
          "type": "string",
          "default": "",
          "doc": "Tenant of that connection."
        },
        {
          "name": "sourceEventId",
          "type": "string",
          "default": "",
          "doc": "The source's event id, or the SHA-256 of the body where the source has none."
        },
        {
          "name": "sourceEventType",
          "type": "string",
          "default": "",
          "doc": "The source's own event type; empty when the body could not be read."
        },
        {
          "name": "headers",
          "type": {
            "type": "map",
            "values": "string"
          },
          "default": {},
          "doc": "Request headers on the allow-list of the source definition, names in lower case."
        },
        {
          "name": "contentType",
          "type": "string",
          "default": "",
          "doc": "Content-Type as received; empty when absent."
        },
        {
          "name": "malformed",
          "type": "boolean",
          "default": false,
          "doc": "True when the signature was right and the body unreadable: the normalizer dead-letters it."
        },
        {
          "name": "body",
          "type": "bytes",
          "default": "",
          "doc": "The body, byte for byte."
        }
      ]
    }
  ],
  "tributary.work.Issue": [
    {
      "type": "record",
      "name": "Issue",
      "namespace": "tributary.work",
      "doc": "An issue in a tracker or on a code host.",
      "fields": [
        {
          "name": "issueId",
          "type": "string",
          "default": "",
          "doc": "The source's id of the issue."
        },
        {
          "name": "key",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "What people call it: owner/repo#7, OPS-7."
        },
        {
          "name": "title",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Title."
        },
        {
          "name": "state",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "The source's word for its state."
        },
        {
          "name": "url",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Page of the issue."
        },
        {
          "name": "project",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Repository or project."
        },
        {
          "name": "actor",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Login of who did it.",
          "personal": true
        },
        {
          "name": "occurredAt",
          "type": [
            "null",
            {
              "type": "long",
              "logicalType": "timestamp-millis"
            }
          ],
          "default": null,
          "doc": "When it happened, by the clock of the source."
        }
      ]
    }
  ],
  "tributary.work.PullRequest": [
    {
      "type": "record",
      "name": "PullRequest",
      "namespace": "tributary.work",
      "doc": "A pull request on a code host.",
      "fields": [
        {
          "name": "pullRequestId",
          "type": "string",
          "default": "",
          "doc": "The source's id of the pull request."
        },
        {
          "name": "key",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "What people call it: owner/repo#7."
        },
        {
          "name": "title",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Title."
        },
        {
          "name": "state",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "The source's word for its state."
        },
        {
          "name": "merged",
          "type": "boolean",
          "default": false,
          "doc": "True once merged."
        },
        {
          "name": "url",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Page of the pull request."
        },
        {
          "name": "project",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Repository."
        },
        {
          "name": "actor",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Login of who did it.",
          "personal": true
        },
        {
          "name": "occurredAt",
          "type": [
            "null",
            {
              "type": "long",
              "logicalType": "timestamp-millis"
            }
          ],
          "default": null,
          "doc": "When it happened, by the clock of the source."
        }
      ]
    }
  ],
  "tributary.work.Push": [
    {
      "type": "record",
      "name": "Push",
      "namespace": "tributary.work",
      "doc": "Commits pushed to a branch.",
      "fields": [
        {
          "name": "pushId",
          "type": "string",
          "default": "",
          "doc": "Commit id the branch points to afterwards."
        },
        {
          "name": "ref",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Full name of the branch or tag."
        },
        {
          "name": "project",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Repository."
        },
        {
          "name": "commits",
          "type": "int",
          "default": 0,
          "doc": "How many commits came with it."
        },
        {
          "name": "url",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Page that compares before and after."
        },
        {
          "name": "actor",
          "type": [
            "null",
            "string"
          ],
          "default": null,
          "doc": "Login of who did it.",
          "personal": true
        },
        {
          "name": "occurredAt",
          "type": [
            "null",
            {
              "type": "long",
              "logicalType": "timestamp-millis"
            }
          ],
          "default": null,
          "doc": "When it happened, by the clock of the source."
        }
      ]
    }
  ],
};
