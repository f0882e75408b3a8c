{{/* The sluice.yaml: `config`, with the demo and Redis put in. */}}
{{- define "sluice.config" -}}
{{- include "sluice.refuse" . -}}
{{- $config := deepCopy .Values.config -}}
{{- if .Values.demo.enabled -}}
{{- $provider := dict "name" "demo" "kind" "openai_compatible" "base_url" "http://127.0.0.1:4010/v1" "allow_private" true -}}
{{- $model := dict "name" "demo" "targets" (list (dict "provider" "demo" "model" "demo")) -}}
{{- $hash := "blake3:53f8f5d9864672c1b3c1b22dc465596d36d43b6df1421ec91b08f8d3d50c93d1" -}}
{{- $key := dict "name" "demo" "hash" $hash "models" (list "demo") -}}
{{- $_ := set $config "providers" (append (default list $config.providers) $provider) -}}
{{- $_ := set $config "models" (append (default list $config.models) $model) -}}
{{- $_ := set $config "keys" (append (default list $config.keys) $key) -}}
{{- end -}}
{{- if include "sluice.sharesRedis" . -}}
{{- $ours := dict "replicas" (include "sluice.replicas" . | int) -}}
{{- if or .Values.redis.url .Values.redis.existingSecret -}}
{{- $url := default (printf "${file:%s/redis/url}" (include "sluice.secrets" .)) .Values.redis.url -}}
{{- $_ := set $ours "urls" (list $url) -}}
{{- end -}}
{{- $_ := set $config "redis" (merge (default dict $config.redis) $ours) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* What would only be found out by a pod that does not start. */}}
{{- define "sluice.refuse" -}}
{{- $config := .Values.config -}}
{{- $state := default "" $config.state_dir | toString -}}
{{- if or (eq $state "") (hasPrefix "/etc/sluice" $state) -}}
{{- fail (printf "config.state_dir: %q is no place for a volume; name a folder of its own like /var/lib/sluice" $state) -}}
{{- end -}}
{{- if eq .Values.admin.existingSecret (printf "%s-admin" (include "sluice.fullname" .)) -}}
{{- fail (printf "admin.existingSecret: %s is what the chart calls its own, and an upgrade to this would delete it; call yours otherwise" .Values.admin.existingSecret) -}}
{{- end -}}
{{- range $of := list "api" "admin" -}}
{{- $bind := (index $config.listeners $of).bind | toString -}}
{{- if not (regexMatch ":[0-9]+$" $bind) -}}
{{- fail (printf "config.listeners.%s.bind: %q is not an address and a port like 0.0.0.0:4000" $of $bind) -}}
{{- end -}}
{{- if or (hasPrefix "127." $bind) (hasPrefix "[::1]" $bind) -}}
{{- fail (printf "config.listeners.%s.bind: nobody reaches %s from outside its pod; say 0.0.0.0:PORT" $of $bind) -}}
{{- end -}}
{{- end -}}
{{- if not (or .Values.demo.enabled $config.keys) -}}
{{- fail "config.keys: nobody could use this gateway, and it would not start; list a key (`sluice key new NAME`), or leave demo.enabled on" -}}
{{- end -}}
{{- if .Values.demo.enabled -}}
{{- range $section := list "providers" "models" "keys" -}}
{{- range $entry := default list (index $config $section) -}}
{{- if eq (toString $entry.name) "demo" -}}
{{- fail (printf "config.%s: one is called demo, as the demo's own; rename it, or set demo.enabled: false" $section) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.redis.url .Values.redis.existingSecret -}}
{{- fail "redis: url and existingSecret are both set; one of them" -}}
{{- end -}}
{{- if and (or .Values.redis.url .Values.redis.existingSecret) (dig "redis" "urls" list $config) -}}
{{- fail "redis: config.redis.urls is set as well; one of them" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts: name at least one" -}}
{{- end -}}
{{- with .Values.autoscaling -}}
{{- if and .enabled (lt (int .maxReplicas) (int .minReplicas)) -}}
{{- fail (printf "autoscaling.maxReplicas: %d is less than minReplicas, %d" (int .maxReplicas) (int .minReplicas)) -}}
{{- end -}}
{{- if and .enabled (not (or .targetCPUUtilizationPercentage .targetStreamsInFlight)) -}}
{{- fail "autoscaling: neither targetCPUUtilizationPercentage nor targetStreamsInFlight says when" -}}
{{- end -}}
{{- end -}}
{{- end -}}
