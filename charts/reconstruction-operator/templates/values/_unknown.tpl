{{/* Unknown values, and what was probably meant.

The schema cannot do this: Helm refuses a key that `additionalProperties` forbids before it reads any template, and with a
message of its own. files/values.json, made from the schema, lists the keys of every object with keys of its own. */}}

{{/* Advice for each unknown value, a line each. Takes {index, values, object, path}: the list of keys, the values of an
     object, its place in the list (`workers.*`) and its path for the user (`workers.cpu.`). */}}
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

{{/* What to do about an unknown value: its new name, the most similar key beside it, or the places that have such a key,
     if they are few. */}}
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

{{/* Variables of {env}, a list as in a container, that are named almost like a setting, a line each; {path} is its place. */}}
{{- define "recon.misspeltSettings" -}}
{{- $names := get .index.objects "settings" -}}
{{- range $old, $_ := .index.moved -}}
{{- if hasPrefix "settings." $old }}{{ $names = append $names (trimPrefix "settings." $old) }}{{ end -}}
{{- end -}}
{{- range .env -}}
{{- $near := include "recon.mostSimilar" (dict "key" .name "keys" $names "least" 84) -}}
{{- if and $near (not (has .name $names)) (not (regexMatch "^(CELERY|OTEL)_" .name)) }}{{/* these have more variables */}}
- {{ $.path }}: {{ .name }} is not a setting: did you mean {{ $near }}?
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The most similar of {keys}: the one that shares most pairs of neighbouring letters with {key}, if that is more than {least}
     percent, or half or more. */}}
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

{{/* Fails with a message, in `helm lint` too, which ignores `fail`: there is no template of this name. */}}
{{- define "recon.refuse" -}}
{{- fail . -}}
{{- include . . -}}
{{- end -}}
