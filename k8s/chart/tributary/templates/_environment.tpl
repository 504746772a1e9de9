{{/* One variable. */}}
{{- define "tributary.variable" -}}
- name: {{ .name }}
  value: {{ .value | toString | quote }}
{{- end }}

{{- define "tributary.secretVariable" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef: { name: {{ .secret }}, key: {{ .key }}{{ if .optional }}, optional: true{{ end }} }
{{- end }}

{{/* Secret with the identity of a service at Kafka. */}}
{{- define "tributary.kafkaSecret" -}}
{{- .root.Values.kafka.sharedSecret | default (printf "%s%s" .root.Values.kafka.userPrefix .name) -}}
{{- end }}

{{/* How Kafka is reached: the same for services and Jobs. */}}
{{- define "tributary.kafkaEnvironment" -}}
{{- $kafka := .root.Values.kafka -}}
{{ include "tributary.variable" (dict "name" "KAFKA_BROKERS" "value" $kafka.brokers) }}
{{- if $kafka.tls }}
{{ include "tributary.variable" (dict "name" "KAFKA_TLS" "value" (ternary "/etc/tributary/kafka-ca/ca.crt" "on" (ne $kafka.caSecret ""))) }}
{{- end }}
{{- if eq $kafka.authentication "tls" }}
{{- if not $kafka.tls }}{{ fail "kafka.authentication is tls and kafka.tls is false: set kafka.tls to true" }}{{ end }}
{{ include "tributary.variable" (dict "name" "KAFKA_TLS_CERT_FILE" "value" "/etc/tributary/kafka-user/user.crt") }}
{{ include "tributary.variable" (dict "name" "KAFKA_TLS_KEY_FILE" "value" "/etc/tributary/kafka-user/user.key") }}
{{- else if ne $kafka.authentication "none" }}
{{ include "tributary.variable" (dict "name" "KAFKA_SASL_MECHANISM" "value" $kafka.authentication) }}
{{- if $kafka.sharedSecret }}
{{ include "tributary.secretVariable" (dict "name" "KAFKA_USERNAME" "secret" $kafka.sharedSecret "key" "username") }}
{{- else }}
{{ include "tributary.variable" (dict "name" "KAFKA_USERNAME" "value" (printf "%s%s" $kafka.userPrefix .name)) }}
{{- end }}
{{ include "tributary.secretVariable" (dict "name" "KAFKA_PASSWORD" "secret" (include "tributary.kafkaSecret" .) "key" "password") }}
{{- end }}
{{ include "tributary.variable" (dict "name" "SCHEMA_REGISTRY_URL" "value" .root.Values.registry.url) }}
{{- end }}

{{/*
Certificates as volumes: mounted files change when the Secret does. 288 is 0440, which not every reader of YAML takes for octal: readable for
the group of the pod.
*/}}
{{- define "tributary.kafkaVolumes" -}}
{{- $kafka := .root.Values.kafka -}}
{{- if and $kafka.tls $kafka.caSecret }}
- name: kafka-ca
  secret:
    secretName: {{ $kafka.caSecret }}
    items: [{ key: {{ $kafka.caKey }}, path: ca.crt }]
{{- end }}
{{- if eq $kafka.authentication "tls" }}
- name: kafka-user
  secret:
    secretName: {{ include "tributary.kafkaSecret" . }}
    defaultMode: 288
    items: [{ key: user.crt, path: user.crt }, { key: user.key, path: user.key }]
{{- end }}
{{- end }}

{{- define "tributary.kafkaMounts" -}}
{{- $kafka := .root.Values.kafka -}}
{{- if and $kafka.tls $kafka.caSecret }}
- { name: kafka-ca, mountPath: /etc/tributary/kafka-ca, readOnly: true }
{{- end }}
{{- if eq $kafka.authentication "tls" }}
- { name: kafka-user, mountPath: /etc/tributary/kafka-user, readOnly: true }
{{- end }}
{{- end }}

{{/* Where a service finds its login of PostgreSQL. */}}
{{- define "tributary.databaseSecret" -}}
{{- $secrets := .root.Values.secrets -}}
{{- ternary (printf "%s%s" $secrets.databasePrefix .name) $secrets.database (ne $secrets.databasePrefix "") -}}
{{- end }}

{{/* Every variable of a service. What it does not declare it is not given: the lists come from its settings. */}}
{{- define "tributary.environment" -}}
{{- $root := .root -}}
{{- $service := .service -}}
{{ include "tributary.kafkaEnvironment" (dict "root" $root "name" $service.name) }}
{{ include "tributary.variable" (dict "name" "PORT" "value" (int $service.port)) }}
- name: INSTANCE_ID
  valueFrom:
    fieldRef: { fieldPath: metadata.name }
{{- with $service.destination }}
{{ include "tributary.variable" (dict "name" "DESTINATION" "value" .) }}
{{- end }}
{{- with $root.Values.monitoring.otlpEndpoint }}
{{ include "tributary.variable" (dict "name" "OTEL_EXPORTER_OTLP_ENDPOINT" "value" .) }}
{{- end }}
{{- range $service.needs.keys }}
{{- if eq . "kek" }}
{{ include "tributary.variable" (dict "name" "TRIBUTARY_KEK_FILE" "value" "/keys/kek") }}
{{- else if eq . "ledger" }}
{{ include "tributary.variable" (dict "name" "LEDGER_KEYS_FILE" "value" "/keys/ledger") }}
{{- else if eq . "audit" }}
{{ include "tributary.variable" (dict "name" "AUDIT_SIGNING_KEY" "value" "file:/keys/audit") }}
{{- else }}
{{- fail (printf "no template gives the key %s of %s: add it to _environment.tpl" . $service.name) }}
{{- end }}
{{- end }}
{{- range $setting := $service.settings }}
{{- $given := index $service.given $setting.variable }}
{{- if eq $setting.from "secret" }}
{{- if has $setting.variable (list "DATABASE_URL" "KEYS_DATABASE_URL") }}
{{ include "tributary.secretVariable" (dict "name" $setting.variable "secret" (include "tributary.databaseSecret" (dict "root" $root "name" $service.name)) "key" $setting.variable "optional" (not $setting.required)) }}
{{- else if $root.Values.secrets.other }}
{{ include "tributary.secretVariable" (dict "name" $setting.variable "secret" $root.Values.secrets.other "key" $setting.variable "optional" (not $setting.required)) }}
{{- else if $setting.required }}
{{- fail (printf "%s needs %s: name a Secret in secrets.other" $service.name $setting.variable) }}
{{- end }}
{{- else if eq $setting.from "value" }}
{{- if hasKey $service.given $setting.variable }}
{{ include "tributary.variable" (dict "name" $setting.variable "value" $given) }}
{{- else if $setting.required }}
{{- fail (printf "%s needs %s: set services.%s.settings.%s" $service.name $setting.variable $service.name $setting.variable) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/*
What the command line needs to reach Kafka and the registry, as Jobs and operators run it. The login of the registry is where services have theirs.
Arguments: root, and name of the identity at Kafka.
*/}}
{{- define "tributary.commandLineEnvironment" -}}
{{ include "tributary.kafkaEnvironment" . }}
{{- range $variable := list "SCHEMA_REGISTRY_USERNAME" "SCHEMA_REGISTRY_CA_FILE" }}
{{- with index $.root.Values.settings $variable }}
{{ include "tributary.variable" (dict "name" $variable "value" .) }}
{{- end }}
{{- end }}
{{- with .root.Values.secrets.other }}
{{ include "tributary.secretVariable" (dict "name" "SCHEMA_REGISTRY_PASSWORD" "secret" . "key" "SCHEMA_REGISTRY_PASSWORD" "optional" true) }}
{{- end }}
{{- end }}

{{- define "tributary.databaseEnvironment" -}}
{{- $secret := .root.Values.secrets.database -}}
{{ include "tributary.secretVariable" (dict "name" "DATABASE_URL" "secret" $secret "key" "DATABASE_URL") }}
{{ include "tributary.secretVariable" (dict "name" "KEYS_DATABASE_URL" "secret" $secret "key" "KEYS_DATABASE_URL" "optional" true) }}
{{- end }}

{{/* Seconds: what stops first, what is in flight, closing connections, and room. */}}
{{- define "tributary.graceSeconds" -}}
{{- $shutdownMs := int (index .given "SHUTDOWN_MS" | default .stop.shutdownMs) -}}
{{- add (include "tributary.preStopSeconds" . | int) (div (add $shutdownMs 999) 1000) (div (add (int .stop.marginMs) 999) 1000) 10 -}}
{{- end }}

{{/* Requests still come for some seconds after a pod began to end; records do not. */}}
{{- define "tributary.preStopSeconds" -}}
{{- ternary 5 0 (eq .kind "http") -}}
{{- end }}

{{/* As many as are at work at the same time: more than its topics have partitions stand idle. */}}
{{- define "tributary.partitions" -}}
{{- $partitions := int .service.consumes.partitions -}}
{{- if and (gt $partitions 1) (gt (int .root.Values.jobs.partitions) 0) -}}{{ int .root.Values.jobs.partitions }}{{- else -}}{{ $partitions }}{{- end -}}
{{- end }}

{{- define "tributary.replicas" -}}
{{- if .service.consumes -}}{{ min (int .service.config.replicas) (include "tributary.partitions" . | int) }}{{- else -}}{{ int .service.config.replicas }}{{- end -}}
{{- end }}
