{{/* Unknown values, and the probably intended ones.

The schema cannot do this: Helm rejects a key that `additionalProperties` forbids before it reads any template, with its own
message. files/values.json, generated from the schema, lists the keys of every object. */}}

{{/* One line of advice for each unknown value. Takes {index, values, object, path}: files/values.json, the values of an
     object, its path there (`workers.*`) and its path for the user (`workers.cpu.`). */}}
{{- define "recon.unknownValues" -}}
{{- $keys := get .index.objects .object -}}
{{- $any := has "*" $keys -}}
{{- $prefix := ternary "" (printf "%s." .object) (eq .object "") -}}
{{- range $key, $value := .values -}}
{{- $path := printf "%s%s" $.path $key -}}
{{- $object := printf "%s%s" $prefix (ternary "*" $key $any) -}}
{{- $each := printf "%s[]" $object -}}
{{- if not (or $any (has $key $keys)) }}
- {{ $path }}{{ include "recon.advice" (dict "index" $.index "key" $key "keys" $keys "path" $.path "object" $object) }}
{{- else if and (kindIs "map" $value) (hasKey $.index.objects $object) -}}
{{- include "recon.unknownValues" (dict "index" $.index "values" $value "object" $object "path" (printf "%s." $path)) -}}
{{- else if and (kindIs "slice" $value) (hasKey $.index.objects $each) -}}
{{- range $number, $item := $value -}}
{{- if kindIs "map" $item -}}
{{- include "recon.unknownValues" (dict "index" $.index "values" $item "object" $each "path" (printf "%s[%d]." $path $number)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Advice for an unknown value: what sets it instead, the most similar key beside it, or the objects that have the key, if they are
     few. */}}
{{- define "recon.advice" -}}
{{- $moved := get .index.moved .object -}}
{{- $near := include "recon.mostSimilar" . -}}
{{- $parent := trimSuffix .key .object -}}
{{- $gone := list -}}
{{- range $old, $_ := .index.moved -}}
{{- if hasPrefix $parent $old }}{{ $gone = append $gone (trimPrefix $parent $old) }}{{ end -}}
{{- end -}}
{{- $nearGone := include "recon.mostSimilar" (dict "key" .key "keys" $gone "least" 84) -}}
{{- $same := list -}}
{{- range $object, $keys := .index.objects -}}
{{- if has $.key $keys }}{{ $same = append $same (printf "%s.%s" $object $.key | trimPrefix "." | replace "*" "POOL") }}{{ end -}}
{{- end -}}
{{- if $moved }}: {{ $moved -}}
{{- else if $nearGone }}: did you mean {{ $nearGone }}? {{ get .index.moved (printf "%s%s" $parent $nearGone) -}}
{{- else if $near }}: did you mean {{ .path }}{{ $near }}?
{{- else if and $same (lt (len $same) 5) }}: did you mean {{ $same | sortAlpha | join " or " }}?
{{- end -}}
{{- end -}}

{{/* One line for each variable of {env}, a container's list, whose name is almost a setting's; {path} is the list's path. */}}
{{- define "recon.misspeltSettings" -}}
{{- $names := get .index.objects "settings" -}}
{{- range $old, $_ := .index.moved -}}
{{- if hasPrefix "settings." $old }}{{ $names = append $names (trimPrefix "settings." $old) }}{{ end -}}
{{- end -}}
{{- range .env -}}
{{- $near := include "recon.mostSimilar" (dict "key" .name "keys" $names "least" 84) -}}
{{- if and $near (not (has .name $names)) (not (regexMatch "^(CELERY|OTEL)_" .name)) }}{{/* variables of other programs */}}
- {{ $.path }}: {{ .name }} is not a setting: did you mean {{ $near }}?
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The most similar of {keys}: the one that shares most pairs of adjacent letters with {key}, if these are more than {least}
     percent (default: at least half). */}}
{{- define "recon.mostSimilar" -}}
{{- $wanted := regexReplaceAll "[^a-z0-9]" (lower .key) "" -}}
{{- $best := "" -}}
{{- $most := .least | default 49 -}}
{{- range .keys -}}
{{- $name := regexReplaceAll "[^a-z0-9]" (lower .) "" -}}
{{- $shared := 0 -}}
{{- range $start := until (max 0 (sub (len $wanted) 1) | int) -}}
{{- if contains (substr $start (add $start 2 | int) $wanted) $name }}{{ $shared = add1 $shared }}{{ end -}}
{{- end -}}
{{- $percent := div (mul 200 $shared) (max 1 (sub (add (len $wanted) (len $name)) 2)) -}}
{{- if gt $percent $most }}{{ $most = $percent }}{{ $best = . }}{{ end -}}
{{- end -}}
{{- $best -}}
{{- end -}}

{{/* Fails with a message. `helm lint` ignores `fail`, but not the missing template. */}}
{{- define "recon.refuse" -}}
{{- fail . -}}
{{- include . . -}}
{{- end -}}
