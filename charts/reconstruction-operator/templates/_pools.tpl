{{/* The pools of workers. */}}

{{/* Deep merge of two maps, as JSON: the second takes precedence, and null removes a key. Sprig's merge treats false, 0 and "" as
     unset. Takes [map, map]. */}}
{{- define "recon.over" -}}
{{- $merged := dict -}}
{{- range $key, $value := index . 0 }}{{ $_ := set $merged $key $value }}{{ end -}}
{{- range $key, $value := index . 1 -}}
{{- $old := get $merged $key -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $merged $key -}}
{{- else if and (kindIs "map" $value) (kindIs "map" $old) -}}
{{- $_ := set $merged $key (include "recon.over" (list $old $value) | fromJson) -}}
{{- else -}}
{{- $_ := set $merged $key $value -}}
{{- end -}}
{{- end -}}
{{- toJson $merged -}}
{{- end -}}

{{/* JSON of the enabled pools with all their values: {name: pool}. */}}
{{- define "recon.pools" -}}
{{- $pools := dict -}}
{{- range $name, $own := .Values.workers -}}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$" $name) -}}
{{- fail (printf "workers.%s: the name of a pool has at most 15 small letters, digits and dashes" $name) -}}
{{- end -}}
{{- $pool := include "recon.over" (list $.Values.workerDefaults ($own | default dict)) | fromJson -}}
{{- if $pool.enabled -}}
{{- $drain := ternary (max (int64 $pool.drainSeconds) (int64 $pool.autoscaling.longestJobSeconds)) (int64 $pool.drainSeconds) $pool.autoscaling.enabled -}}
{{- $grace := int64 $pool.terminationGracePeriodSeconds | default (add $drain 40) -}}
{{- if lt $grace (add $drain 10) -}}
{{- fail (printf "workers.%s.terminationGracePeriodSeconds is %d: a pod that drains for %d s needs at least %d, or jobs are killed before they are handed over" $name $grace $drain (add $drain 10)) -}}
{{- end -}}
{{- range $pool.queues -}}
{{- if regexMatch "-(high|low)$" . -}}
{{- fail (printf "workers.%s.queues: %s is a priority of the queue %s, which stands for all three" $name . (regexReplaceAll "-(high|low)$" . "")) -}}
{{- end -}}
{{- end -}}
{{- include "recon.checkGpuImage" (dict "name" $name "pool" $pool) -}}
{{- $_ := set $pool "drainSeconds" $drain -}}
{{- $_ := set $pool "terminationGracePeriodSeconds" $grace -}}
{{- $_ := set $pools $name $pool -}}
{{- end -}}
{{- end -}}
{{- toJson $pools -}}
{{- end -}}

{{/* The value of POOL_NAMESPACES: which namespaces may use which queues. Empty: no limits. */}}
{{- define "recon.poolNamespaces" -}}
{{- $of := dict -}}
{{- $entries := list -}}
{{- range $name, $pool := include "recon.pools" . | fromJson -}}
{{- $namespaces := sortAlpha $pool.namespaces | join "," -}}
{{- range $queue := $pool.queues -}}
{{- if ne (get $of $queue | default $namespaces) $namespaces -}}
{{- fail (printf "workers.%s.namespaces: another pool has the queue %s, and other namespaces: give both the same list" $name $queue) -}}
{{- end -}}
{{- if not (hasKey $of $queue) -}}
{{- range $pool.namespaces }}{{ $entries = append $entries (printf "%s=%s" $queue .) }}{{ end -}}
{{- end -}}
{{- $_ := set $of $queue $namespaces -}}
{{- end -}}
{{- end -}}
{{- join "," $entries -}}
{{- end -}}

{{/* The value of POOL_STAGE_QUEUES: the queues of stages, by the jobs' own queue. Empty: all stages run on that. */}}
{{- define "recon.poolStageQueues" -}}
{{- $of := dict -}}
{{- $entries := list -}}
{{- range $name, $pool := include "recon.pools" . | fromJson -}}
{{- $stages := toJson $pool.stageQueues -}}
{{- range $queue := $pool.queues -}}
{{- if ne (get $of $queue | default $stages) $stages -}}
{{- fail (printf "workers.%s.stageQueues: another pool has the queue %s, and other queues of stages: give both the same" $name $queue) -}}
{{- end -}}
{{- if not (hasKey $of $queue) -}}
{{- range $stage, $other := $pool.stageQueues }}{{ $entries = append $entries (printf "%s/%s=%s" $queue $stage $other) }}{{ end -}}
{{- end -}}
{{- $_ := set $of $queue $stages -}}
{{- end -}}
{{- end -}}
{{- join "," $entries -}}
{{- end -}}

{{/* Fails if a pool has GPUs but this project's image, whose models use no GPU. Takes {name, pool}. */}}
{{- define "recon.checkGpuImage" -}}
{{- $image := .pool.image -}}
{{- if and .pool.gpu.count (eq $image.repository "reconstruction-worker") (not (or $image.tag $image.digest)) -}}
{{- fail (printf "workers.%s.gpu.count is %d, but the image reconstruction-worker has only models for CPUs, and the GPU would stay idle: set workers.%s.image.repository to your image with a model for GPUs (and image.tag, if it is also called reconstruction-worker), or gpu.count to 0" .name (int .pool.gpu.count) .name) -}}
{{- end -}}
{{- end -}}

{{/* Resources of a worker, with its GPUs, and all its device claims unless some are listed. Takes the pool. */}}
{{- define "recon.poolResources" -}}
{{- $resources := deepCopy (.resources | default dict) -}}
{{- with .gpu -}}
{{- if .count }}{{ $resources = include "recon.over" (list $resources (dict "limits" (dict .resource (int64 .count)))) | fromJson }}{{ end -}}
{{- end -}}
{{- if not $resources.claims -}}
{{- range .resourceClaims }}{{ $_ := set $resources "claims" (append ($resources.claims | default list) (dict "name" .name)) }}{{ end -}}
{{- end -}}
{{- with $resources }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* The queues of all enabled pools, joined by commas. */}}
{{- define "recon.queues" -}}
{{- $queues := list -}}
{{- range include "recon.pools" . | fromJson -}}{{ $queues = concat $queues .queues }}{{ end -}}
{{- $queues | uniq | sortAlpha | join "," -}}
{{- end -}}

{{/* The pod's hostUsers, if it is set. Takes {root, pool}. */}}
{{- define "recon.hostUsers" -}}
{{- if kindIs "bool" .pool.hostUsers -}}
hostUsers: {{ .pool.hostUsers }}
{{- else if semverCompare ">=1.36.0-0" .root.Capabilities.KubeVersion.Version -}}
{{- $user := .pool.podSecurityContext.runAsUser | default 65536 | int64 -}}
{{- /* Most file systems that several nodes can mount support no ID-mapped mounts, and a user namespace has 65,536 users. */ -}}
{{- if not (or (has "ReadWriteMany" .root.Values.jobs.accessModes) .pool.runtimeClassName (gt $user 65535)) -}}
hostUsers: false
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Update strategy of a pool: rolling only if its volume can be mounted twice. Takes {root, pool}. */}}
{{- define "recon.strategy" -}}
{{- if .pool.strategy -}}
{{- toYaml .pool.strategy -}}
{{- else if has "ReadWriteMany" .root.Values.jobs.accessModes -}}
type: RollingUpdate
rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
{{- else -}}
type: Recreate
{{- end -}}
{{- end -}}

{{/* The claim with a pool's job folders. Takes {root, pool}. */}}
{{- define "recon.jobsClaim" -}}
{{- .pool.storage.existingClaim | default .root.Values.jobs.existingClaim | default (printf "%s-jobs" (include "recon.prefix" .root)) -}}
{{- end -}}
