{{/* What the code says: services, topics, rights. */}}
{{- define "tributary.facts" -}}
{{ .Files.Get "files/facts.yaml" }}
{{- end }}

{{/*
The services of this release with their exceptions laid over the defaults, as YAML by name. A destination that is not chosen has none.
*/}}
{{- define "tributary.services" -}}
{{- $facts := include "tributary.facts" . | fromYaml -}}
{{- $services := dict -}}
{{- range $name, $service := $facts.services -}}
{{- $chosen := or (not $service.destination) (empty $.Values.destinations) (has $service.destination $.Values.destinations) -}}
{{- $exceptions := index $.Values.services $name | default dict -}}
{{- $config := mergeOverwrite (deepCopy $.Values.defaults) (deepCopy $exceptions) -}}
{{- if and $chosen $config.enabled -}}
{{- $settings := mergeOverwrite (dict) (deepCopy $.Values.settings) (deepCopy ($exceptions.settings | default dict)) -}}
{{- $services = set $services $name (merge (dict "name" $name "config" $config "given" $settings) $service) -}}
{{- end -}}
{{- end -}}
{{- $services | toYaml -}}
{{- end }}

{{- define "tributary.selector" -}}
app.kubernetes.io/name: tributary
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "tributary.labels" -}}
{{ include "tributary.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: tributary
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "tributary.image" -}}
{{- $image := .root.Values.image -}}
{{- $digest := index $image.digests .app | default "" -}}
{{- $name := printf "%s/%s%s" $image.registry $image.prefix .app -}}
{{- if $digest }}{{ $name }}@{{ $digest }}{{ else }}{{ $name }}:{{ $image.tag | default .root.Chart.AppVersion }}{{ end -}}
{{- end }}

{{/* The restricted pod security standard, and a file system that nobody writes to. */}}
{{- define "tributary.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "tributary.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}
