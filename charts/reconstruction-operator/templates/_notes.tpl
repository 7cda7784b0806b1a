{{/* A one-line command that creates an example job, since the chart's package has no manifests. Takes {namespace, name, model}. */}}
{{- define "recon.exampleJob" -}}
{{- $spec := dict "modelType" .model "input" (dict "uri" "file:///photos/banana") -}}
{{- $job := dict "apiVersion" "reconstruction.dev/v1alpha1" "kind" "ReconstructionJob" "metadata" (dict "name" .name) "spec" $spec -}}
echo '{{ toJson $job }}' | kubectl -n {{ .namespace }} apply -f -
{{- end -}}
