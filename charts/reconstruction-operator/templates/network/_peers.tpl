{{/* Peers of the pods, as rules of a NetworkPolicy. */}}

{{- define "recon.dnsEgress" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
  {{- with .Values.networkPolicy.dnsTo }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "recon.redisEgress" -}}
{{- if .Values.redis.enabled -}}
- ports:
    - {port: 6379, protocol: TCP}
  to:
    - podSelector:
        matchLabels: {{- include "recon.selector" (dict "root" . "component" "redis") | nindent 10 }}
{{- else -}}
- ports:
    - {port: {{ int .Values.networkPolicy.redisPort }}, protocol: TCP}
    {{- with int .Values.networkPolicy.sentinelPort }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .Values.networkPolicy.redisTo }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* Object storage; empty unless it is named. */}}
{{- define "recon.storageEgress" -}}
{{- with .Values.networkPolicy.storageTo -}}
- ports:
    {{- range $.Values.networkPolicy.storagePorts }}
    - {port: {{ int . }}, protocol: TCP}
    {{- end }}
  to: {{- toYaml . | nindent 4 }}
{{- end -}}
{{- end -}}

{{/* The API server is not a pod, so a policy can only name its ports and addresses. */}}
{{- define "recon.apiServerEgress" -}}
- ports:
    {{- range .Values.networkPolicy.apiServerPorts }}
    - {port: {{ int . }}, protocol: TCP}
    {{- end }}
  {{- with .Values.networkPolicy.apiServerTo }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
