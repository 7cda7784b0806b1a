{{/* The addresses of notifications as the operator's settings. */}}

{{- define "recon.notificationsEnv" -}}
{{- with .Values.notifications -}}
{{- $entries := list -}}
{{- range $namespace, $address := .namespaces -}}
{{- with $address -}}{{- $entries = append $entries (printf "%s=%s" $namespace .) -}}{{- end -}}
{{- end -}}
{{- with .address -}}{{- $entries = append $entries (printf "*=%s" .) -}}{{- end -}}
{{- $hosts := .hosts -}}
{{- range $entries -}}
{{- $host := (urlParse (regexReplaceAll "^[^=]*=" . "")).hostname -}}
{{- if not (has $host $hosts) -}}{{- fail (printf "notifications.hosts lacks %s: the operator would refuse to send events to it" $host) -}}{{- end -}}
{{- end -}}
{{- if $entries -}}
- {name: NOTIFICATIONS, value: {{ join "," $entries | quote }}}
- {name: NOTIFICATION_HOSTS, value: {{ join "," $hosts | quote }}}
{{- if .existingSecret }}
- {name: NOTIFICATION_KEYS, value: /etc/notification-keys}
{{- end }}
{{- end -}}
{{- end -}}
{{- end -}}
