{{/* A one-line command that creates an example job, since the chart's package has no manifests. Takes {namespace, name, model, folder}. */}}
{{- define "recon.exampleJob" -}}
{{- $spec := dict "modelType" .model "input" (dict "uri" (printf "file://%s/banana" .folder)) -}}
{{- $job := dict "apiVersion" "reconstruction.dev/v1alpha1" "kind" "ReconstructionJob" "metadata" (dict "name" .name) "spec" $spec -}}
echo '{{ toJson $job }}' | kubectl -n {{ .namespace }} apply -f -
{{- end -}}
