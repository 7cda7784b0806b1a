{{/* Name of the gallery's objects. */}}
{{- define "recon.gallery" -}}
{{- include "recon.prefix" . }}-gallery
{{- end -}}

{{/* JSON of the volume in `photos` that users upload into; empty without uploads. */}}
{{- define "recon.galleryUploads" -}}
{{- with .Values.gallery.uploads.photosVolume -}}
{{- $name := . -}}
{{- $found := "" -}}
{{- range $.Values.photos }}{{ if eq .name $name }}{{ $found = toJson . }}{{ end }}{{ end -}}
{{- if not $found -}}
{{- fail (printf "gallery.uploads.photosVolume is %s, and photos has no volume of that name" $name) -}}
{{- end -}}
{{- if not (get (fromJson $found) "existingClaim") -}}
{{- fail (printf "gallery.uploads.photosVolume: the volume %s of photos needs an existingClaim, which the gallery and the workers mount" $name) -}}
{{- end -}}
{{- $found -}}
{{- end -}}
{{- end -}}

{{/* Settings by which the gallery shows the first photo of a job: what all pools may read. If pools differ, it reads nothing.
     Empty without uploads, since the gallery then mounts no photos. */}}
{{- define "recon.galleryInputs" -}}
{{- if include "recon.galleryUploads" . -}}
{{- $grants := list -}}
{{- range $name, $pool := include "recon.pools" . | fromJson -}}
{{- $grants = append $grants (get $pool.settings "NAMESPACE_INPUTS" | default ($.Values.settings.NAMESPACE_INPUTS | default "") | include "recon.text") -}}
{{- end -}}
{{- if gt (len (uniq $grants)) 1 }}
- {name: INPUT_ROOTS, value: /none} # pools differ in NAMESPACE_INPUTS; an empty value would be the default
{{- else }}
- {name: INPUT_ROOTS, value: /photos}
{{- with first (append $grants "") }}
- {name: NAMESPACE_INPUTS, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}
