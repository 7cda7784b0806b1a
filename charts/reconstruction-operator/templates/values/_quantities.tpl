{{/* Quantities with a unit of other programs, and the probably intended ones. The schema accepts these units, since Helm's own message
about them would be a pattern. */}}

{{/* One line of advice for each wrong quantity. Takes {index, values, object, path}, as recon.unknownValues. */}}
{{- define "recon.wrongQuantities" -}}
{{- $prefix := ternary "" (printf "%s." .object) (eq .object "") -}}
{{- $each := printf "%s*" $prefix -}}
{{- $any := or (has "*" (get .index.objects .object | default list)) (has $each .index.quantities) -}}
{{- range $key, $value := .values -}}
{{- $path := printf "%s%s" $.path $key -}}
{{- $object := ternary $each (printf "%s%s" $prefix $key) $any -}}
{{- if kindIs "map" $value -}}
{{- include "recon.wrongQuantities" (dict "index" $.index "values" $value "object" $object "path" (printf "%s." $path)) -}}
{{- else if and (kindIs "string" $value) (has $object $.index.quantities) -}}
{{- with include "recon.intendedQuantity" $value }}
- {{ $path }}: {{ $value }} is no quantity of Kubernetes: did you mean {{ . }}?
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The quantities that a text with a unit probably means, with a lower-case m as Kubernetes' thousandth; empty for a quantity. */}}
{{- define "recon.intendedQuantity" -}}
{{- if not (regexMatch "^(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?)?$" .) -}}
{{- $number := regexFind "^[0-9.]+" . -}}
{{- $unit := regexFind "[A-Za-z]+$" . -}}
{{- $letter := upper $unit | trimSuffix "B" | trimSuffix "I" -}}
{{- if eq $unit "m" }}{{ $number }}m
{{- else if not $letter }}{{ $number }}
{{- else if contains "I" (upper $unit) }}{{ $number }}{{ $letter }}i
{{- else }}{{ $number }}{{ ternary "k" $letter (eq $letter "K") }} or {{ $number }}{{ $letter }}i
{{- end -}}
{{- end -}}
{{- end -}}
