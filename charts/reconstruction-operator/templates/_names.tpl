{{/* Names, labels and images. */}}

{{/* The label app.kubernetes.io/name. */}}
{{- define "recon.name" -}}
{{- .Values.nameOverride | default "reconstruction-operator" -}}
{{- end -}}

{{/* Prefix of every name: the releases reconstruction and reconstruction-operator both give reconstruction-operator. */}}
{{- define "recon.prefix" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $own := trimSuffix "-operator" (include "recon.name" .) | trunc 14 | trimSuffix "-" -}}
{{- $name := trimSuffix "-operator" .Release.Name -}}
{{- if not (contains $own $name) }}{{ $name = printf "%s-%s" (trunc 25 $name) $own }}{{ end -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "recon.operator" -}}
{{- include "recon.prefix" . }}-operator
{{- end -}}

{{/* Selector of the pods; it never changes. Takes {root, component}. */}}
{{- define "recon.selector" -}}
{{ include "recon.releaseSelector" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Selector of all pods of the release. */}}
{{- define "recon.releaseSelector" -}}
app.kubernetes.io/name: {{ include "recon.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Labels; the chart's take precedence over commonLabels and {labels}. Takes {root, component} and {labels}; component is
     empty for shared objects. */}}
{{- define "recon.labels" -}}
{{- $own := dict "app.kubernetes.io/part-of" "reconstruction" "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- $selector := ternary (include "recon.selector" .) (include "recon.releaseSelector" .root) (ne .component "") | fromYaml -}}
{{- mergeOverwrite (dict) .root.Values.commonLabels (.labels | default dict) $own $selector | toYaml -}}
{{- end -}}

{{/* Annotations, if there are any. Takes {root} and {annotations}, which override commonAnnotations. */}}
{{- define "recon.annotations" -}}
{{- with mergeOverwrite (dict) .root.Values.commonAnnotations (.annotations | default dict) -}}
annotations: {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* Metadata of an object in the release's namespace, or in {namespace}. Takes {root, name, component} and {labels, annotations}. */}}
{{- define "recon.metadata" -}}
name: {{ .name }}
namespace: {{ .namespace | default .root.Release.Namespace | quote }}
{{ include "recon.marks" . }}
{{- end -}}

{{/* Metadata of a cluster-scoped object. Takes the same. */}}
{{- define "recon.clusterMetadata" -}}
name: {{ .name }}
{{ include "recon.marks" . }}
{{- end -}}

{{- define "recon.marks" -}}
labels: {{- include "recon.labels" . | nindent 2 }}
{{- with include "recon.annotations" . }}
{{ . }}
{{- end }}
{{- end -}}

{{/* Metadata of the pods of a workload; the plugin and the gallery find them by part-of. Takes {root, component} and
     {labels, annotations}. */}}
{{- define "recon.podMetadata" -}}
{{- $own := mergeOverwrite (dict "app.kubernetes.io/part-of" "reconstruction") (include "recon.selector" . | fromYaml) -}}
labels: {{- mergeOverwrite (dict) .root.Values.commonLabels (.labels | default dict) $own | toYaml | nindent 2 }}
{{- with include "recon.annotations" . }}
{{ . }}
{{- end }}
{{- end -}}

{{/* Image reference; global.imageRegistry overrides all other registries. Takes {root, image} and {registry, version}, the
     defaults of those in the image. */}}
{{- define "recon.image" -}}
{{- with .root.Values.global.imageRegistry | default .image.registry | default .registry }}{{ . | trimSuffix "/" }}/{{ end -}}
{{- .image.repository -}}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag | default .version }}{{ end -}}
{{- end -}}

{{/* Tag of the project's images that have none of their own. */}}
{{- define "recon.version" -}}
{{- .Values.global.imageTag | default .Chart.AppVersion -}}
{{- end -}}

{{/* Image of the operator. */}}
{{- define "recon.operatorImage" -}}
{{- include "recon.image" (dict "root" . "image" .Values.operator.image "registry" .Values.image.registry "version" (include "recon.version" .)) -}}
{{- end -}}
