{{/* Parts that several pods share. */}}

{{/* Restricted Pod Security. Takes {user} and, for volumes that must be writable, {fsGroup}. */}}
{{- define "recon.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ int64 .user }}
runAsGroup: {{ int64 .user }}
{{- if .fsGroup }}
fsGroup: {{ int64 .user }}
fsGroupChangePolicy: OnRootMismatch # a walk over all results would slow every start
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "recon.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where a pod may run. Takes values with nodeSelector, tolerations, affinity, priorityClassName. */}}
{{- define "recon.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* A setting's value as an environment variable: large numbers without an exponent. */}}
{{- define "recon.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end -}}

{{/* Checksum annotation: restarts the pods when the settings change. */}}
{{- define "recon.settingsChecksum" -}}
{{- toJson .Values.settings | sha256sum -}}
{{- end -}}

{{/* The three addresses of Redis. */}}
{{- define "recon.redisEnv" -}}
{{- if .Values.redis.enabled }}
{{- $host := printf "%s-redis.%s.svc:6379" (include "recon.prefix" .) .Release.Namespace }}
- name: REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "recon.redisSecret" . | quote }}, key: {{ .Values.redis.auth.key | quote }}}}
- name: CELERY_BROKER_URL
  value: redis://:$(REDIS_PASSWORD)@{{ $host }}/0
- name: CELERY_RESULT_BACKEND
  value: redis://:$(REDIS_PASSWORD)@{{ $host }}/0
- name: REDIS_STATE_DB
  value: redis://:$(REDIS_PASSWORD)@{{ $host }}/1
{{- else }}
{{- $secret := required "redis.enabled is false: redis.external.existingSecret must name the Secret with the addresses of your Redis" .Values.redis.external.existingSecret }}
{{- with .Values.redis.external.keys }}
- name: CELERY_BROKER_URL
  valueFrom: {secretKeyRef: {name: {{ $secret | quote }}, key: {{ .broker | quote }}}}
- name: CELERY_RESULT_BACKEND
  valueFrom: {secretKeyRef: {name: {{ $secret | quote }}, key: {{ .results | quote }}}}
- name: REDIS_STATE_DB
  valueFrom: {secretKeyRef: {name: {{ $secret | quote }}, key: {{ .state | quote }}}}
{{- with .sentinelPassword }}
- name: REDIS_SENTINEL_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $secret | quote }}, key: {{ . | quote }}}}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "recon.redisSecret" -}}
{{- .Values.redis.auth.existingSecret | default (printf "%s-redis" (include "recon.prefix" .)) -}}
{{- end -}}

{{/* Whether the CA of an external Redis is mounted. */}}
{{- define "recon.hasRedisCa" -}}
{{- if and (not .Values.redis.enabled) .Values.redis.external.ca.existingSecret }}true{{ end -}}
{{- end -}}

{{- define "recon.redisCaMount" -}}
{{- if include "recon.hasRedisCa" . }}
- {name: redis-ca, mountPath: /etc/redis-ca, readOnly: true}
{{- end }}
{{- end -}}

{{- define "recon.redisCaVolume" -}}
{{- if include "recon.hasRedisCa" . }}
{{- with .Values.redis.external.ca }}
- name: redis-ca
  secret:
    secretName: {{ .existingSecret | quote }}
    items:
      - {key: {{ .key | quote }}, path: ca.crt}
{{- end }}
{{- end }}
{{- end -}}

{{/* "true" if a resource of another project may be rendered. Takes {root, api, value}. */}}
{{- define "recon.mayUse" -}}
{{- if .root.Capabilities.APIVersions.Has .api -}}
true
{{- else if eq .root.Values.missingApis "render" -}}
true
{{- else if eq .root.Values.missingApis "fail" -}}
{{- fail (printf "%s needs %s, which this cluster does not have: install what brings it, switch it off, or set missingApis to skip or render" .value .api) -}}
{{- end -}}
{{- end -}}
