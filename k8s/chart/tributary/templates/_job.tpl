{{/*
A Job of the command line. A Job cannot be changed, so what it does is part of its name: an upgrade that changes nothing starts none.
Arguments: root, job, args, env, volumes, mounts; and salt, for what it reads and does not name.
*/}}
{{- define "tributary.job" -}}
{{- $name := "tributary-setup" -}}
{{- $image := include "tributary.image" (dict "root" .root "app" "cli") -}}
{{- $hash := printf "%s %s %s %s" $image (toJson .args) .env (.salt | default "") | sha256sum | trunc 8 }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: tributary-{{ .job }}-{{ $hash }}
  labels: {{- include "tributary.labels" (dict "root" .root "name" $name) | nindent 4 }}
spec:
  # Kafka, the registry or the database may come after it.
  backoffLimit: 20
  ttlSecondsAfterFinished: {{ int .root.Values.jobs.keepSeconds }}
  template:
    metadata:
      labels: {{- include "tributary.labels" (dict "root" .root "name" $name) | nindent 8 }}
    spec:
      restartPolicy: OnFailure
      serviceAccountName: {{ $name }}
      {{- include "tributary.podSecurity" .root | nindent 6 }}
      containers:
        {{- range $index, $args := .args }}
        {{- if lt $index (sub (len $.args) 1 | int) }}{{ continue }}{{ end }}
        - name: {{ $.job }}
          {{- include "tributary.jobContainer" (dict "root" $.root "image" $image "args" $args "env" $.env "mounts" $.mounts) | nindent 10 }}
        {{- end }}
      {{- if gt (len .args) 1 }}
      initContainers:
        {{- range $index, $args := .args }}
        {{- if eq $index (sub (len $.args) 1 | int) }}{{ continue }}{{ end }}
        - name: {{ $.job }}-{{ $index }}
          {{- include "tributary.jobContainer" (dict "root" $.root "image" $image "args" $args "env" $.env "mounts" $.mounts) | nindent 10 }}
        {{- end }}
      {{- end }}
      volumes:
        - name: tmp
          emptyDir: { sizeLimit: 64Mi }
        {{- with .volumes }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with .root.Values.defaults.volumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
{{- end }}

{{- define "tributary.jobContainer" -}}
image: {{ .image }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: {{ toJson .args }}
env: {{- .env | nindent 2 }}
{{ include "tributary.containerSecurity" .root }}
resources: {{- toYaml .root.Values.defaults.resources | nindent 2 }}
volumeMounts:
  - { name: tmp, mountPath: /tmp }
  {{- with .mounts }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .root.Values.defaults.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
