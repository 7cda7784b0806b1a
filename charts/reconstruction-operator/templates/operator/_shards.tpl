{{/* Shards of the operator, each with its own Deployment. With one shard, names have no number. All take {root, number}. */}}

{{- define "recon.shardName" -}}
{{- include "recon.operator" .root }}{{ if gt (int .root.Values.operator.shards) 1 }}-{{ .number }}{{ end }}
{{- end -}}

{{- define "recon.shardLabels" -}}
{{- if gt (int .root.Values.operator.shards) 1 -}}
reconstruction.dev/shard: {{ .number | quote }}
{{- end -}}
{{- end -}}

{{/* Selector of the pods of a shard. */}}
{{- define "recon.shardSelector" -}}
{{ include "recon.selector" (dict "root" .root "component" "operator") }}
{{- with include "recon.shardLabels" . }}
{{ . }}
{{- end }}
{{- end -}}
