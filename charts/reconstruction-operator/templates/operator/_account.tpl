{{/* Name of the operator's service account. It gets the operator's permissions, so it is never the default account of all pods. */}}
{{- define "recon.operatorAccount" -}}
{{- $account := .Values.operator.serviceAccount -}}
{{- if not (or $account.create $account.name) -}}
{{- fail "operator.serviceAccount.create is false: name the account in operator.serviceAccount.name" -}}
{{- end -}}
{{- include "recon.account" (dict "account" $account "name" (include "recon.operator" .)) -}}
{{- end -}}
