{{/* Parts that several pods share. */}}

{{/* Secrets with the credentials of registries, those of a parent chart included. */}}
{{- define "recon.imagePullSecrets" -}}
{{- with concat .Values.global.imagePullSecrets .Values.imagePullSecrets | uniq -}}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* Values copied into a pod unchanged: scheduling and host names. Takes the values of the pod. */}}
{{- define "recon.podOptions" -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" "hostAliases" "dnsConfig" "topologySpreadConstraints" }}
{{- with get $ $key }}
{{ $key }}: {{- if kindIs "string" . }} {{ . | quote }}{{ else }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}
{{- end }}
{{- with .podSecurityContext }}
securityContext: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Spread of a workload's pods over nodes, where possible, unless the values have another. Takes {pod, selector}. */}}
{{- define "recon.spread" -}}
{{- if not .pod.topologySpreadConstraints -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- .selector | nindent 8 }}
{{- end -}}
{{- end -}}

{{/* Name of a service account. Takes {account, name}: the value serviceAccount, and the name that the chart gives. */}}
{{- define "recon.account" -}}
{{- .account.name | default (ternary .name "" .account.create) -}}
{{- end -}}

{{/* A setting's value as an environment variable: large numbers without an exponent. */}}
{{- define "recon.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end -}}

{{/* Annotations of pods that read the settings. Takes {root, pod}. */}}
{{- define "recon.podAnnotations" -}}
{{- $own := dict "checksum/settings" (include "recon.settingsChecksum" .root) -}}
{{- if .pod.doNotDisrupt -}}
{{- $own = merge $own (dict "cluster-autoscaler.kubernetes.io/safe-to-evict" "false" "karpenter.sh/do-not-disrupt" "true") -}}
{{- end -}}
{{- mergeOverwrite (deepCopy .pod.podAnnotations) $own | toYaml -}}
{{- end -}}

{{/* Checksum annotation: restarts the pods when the settings change. */}}
{{- define "recon.settingsChecksum" -}}
{{- list .Values.settings .Values.objectStorage.schemes | toJson | sha256sum -}}
{{- end -}}

{{/* The three addresses of Redis. Takes {root, side}: the addresses of the operator's or the worker's user. */}}
{{- define "recon.redisEnv" -}}
{{- $redis := .root.Values.redis }}
{{- if $redis.enabled }}
{{- $address := printf "redis://reconstruction-%s:$(REDIS_PASSWORD)@%s-redis.%s.svc:6379" .side (include "recon.prefix" .root) .root.Release.Namespace }}
- name: REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "recon.redisSecret" .root | quote }}, key: {{ get $redis.auth.keys .side | quote }}}}
- name: CELERY_BROKER_URL
  value: {{ $address }}/0
- name: CELERY_RESULT_BACKEND
  value: {{ $address }}/0
- name: REDIS_STATE_DB
  value: {{ $address }}/1
{{- else }}
{{- $secret := required "redis.enabled is false: redis.external.existingSecret must name the Secret with the addresses of your Redis" $redis.external.existingSecret }}
{{- if eq .side "worker" }}{{ $secret = $redis.external.workerSecret | default $secret }}{{ end }}
{{- with $redis.external.keys }}
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

{{/* Rules of a user of the chart's Redis, for its queues and the prefix of its keys. Takes {root, side}. */}}
{{- define "recon.redisRules" -}}
{{- $prefix := .root.Values.settings.REDIS_KEY_PREFIX | default "" -}}
{{- $queues := concat (include "recon.queues" .root | splitList ",") .root.Values.redis.auth.queues | uniq | compact -}}
{{- $rules := list -}}
{{- range .root.Files.Get (printf "files/redis/%s.acl" .side) | splitList "\n" -}}
{{- range splitList "#" . | first | splitList " " | compact -}}
{{- if eq . "~celery*" -}}
{{- range $queues }}{{ $rules = append $rules (printf "~%s%s*" $prefix .) }}{{ end -}}
{{- else if or (hasPrefix "~" .) (hasPrefix "&" .) -}}
{{- $rules = append $rules (printf "%s%s%s" (trunc 1 .) $prefix (substr 1 -1 .)) -}}
{{- else -}}
{{- $rules = append $rules . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- join " " $rules -}}
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

{{/* Object storage: environment and volumes of the workers. */}}
{{- define "recon.objectStorageEnv" -}}
{{- with .Values.objectStorage }}
{{- with .s3.endpoint }}
- {name: AWS_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
{{- with .s3.region }}
- {name: AWS_REGION, value: {{ . | quote }}}
{{- end }}
{{- if .ca.existingSecret }}
- {name: STORAGE_CA_FILE, value: /etc/storage-ca/ca.crt}
{{- end }}
{{- with .proxy.url }}
- {name: HTTPS_PROXY, value: {{ . | quote }}}
- {name: HTTP_PROXY, value: {{ . | quote }}}
{{- end }}
{{- with .proxy.exclude }}
- {name: NO_PROXY, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "recon.objectStorageCaMount" -}}
{{- if .Values.objectStorage.ca.existingSecret }}
- {name: storage-ca, mountPath: /etc/storage-ca, readOnly: true}
{{- end }}
{{- end -}}

{{- define "recon.objectStorageCaVolume" -}}
{{- with .Values.objectStorage.ca }}
{{- if .existingSecret }}
- name: storage-ca
  secret:
    secretName: {{ .existingSecret | quote }}
    items:
      - {key: {{ .key | quote }}, path: ca.crt}
{{- end }}
{{- end }}
{{- end -}}

{{/* "true" if a resource of another project is to be rendered. Takes {root, api, value}. */}}
{{- define "recon.mayUse" -}}
{{- if .root.Capabilities.APIVersions.Has .api -}}
true
{{- else if eq .root.Values.missingApis "render" -}}
true
{{- else if eq .root.Values.missingApis "fail" -}}
{{- fail (printf "%s needs %s, which this cluster does not have: install what brings it, switch it off, or set missingApis to skip or render" .value .api) -}}
{{- end -}}
{{- end -}}
