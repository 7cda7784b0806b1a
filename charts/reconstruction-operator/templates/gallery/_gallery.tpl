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
