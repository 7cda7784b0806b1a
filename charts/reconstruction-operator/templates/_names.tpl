{{/* Names and labels. */}}

{{/* Prefix of every name: the releases reconstruction and reconstruction-operator both give reconstruction-operator. */}}
{{- define "recon.prefix" -}}
{{- if .Values.namePrefix -}}
{{- .Values.namePrefix | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := trimSuffix "-operator" .Release.Name -}}
{{- if not (contains "reconstruction" $name) }}{{ $name = printf "%s-reconstruction" (trunc 25 $name) }}{{ end -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "recon.operator" -}}
{{- include "recon.prefix" . }}-operator
{{- end -}}

{{/* Selector of the pods; it never changes. Takes {root, component}. */}}
{{- define "recon.selector" -}}
app.kubernetes.io/name: reconstruction-operator
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels. Takes {root, component}; component is empty for shared objects. */}}
{{- define "recon.labels" -}}
app.kubernetes.io/name: reconstruction-operator
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/part-of: reconstruction
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Image reference. Takes {registry, repository, tag, digest, version}. */}}
{{- define "recon.image" -}}
{{- with .registry }}{{ . | trimSuffix "/" }}/{{ end -}}
{{- .repository -}}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default .version }}{{ end -}}
{{- end -}}
