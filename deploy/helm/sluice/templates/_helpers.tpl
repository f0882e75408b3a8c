{{/* Names, labels, and what several objects have to agree on. */}}

{{- define "sluice.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Room is left for the longest suffix, `-completion`. */}}
{{- define "sluice.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "sluice.name" . -}}
{{- (contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name)) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sluice.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "sluice.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* The component keeps the pods of `helm test` and of the preflight out of the Service. */}}
{{- define "sluice.selector" -}}
app.kubernetes.io/name: {{ include "sluice.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "sluice.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "sluice.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Takes an image's values and the tag that it has when none is said. */}}
{{- define "sluice.image" -}}
{{- $image := .image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .tag $image.tag | toString) -}}
{{- end -}}
{{- end -}}

{{/* The port of `listeners.api` or `listeners.admin`. */}}
{{- define "sluice.port" -}}
{{- regexFind "[0-9]+$" (index .root.Values.config.listeners .of).bind -}}
{{- end -}}

{{/* A duration of the configuration in whole seconds, rounded up. */}}
{{- define "sluice.seconds" -}}
{{- $text := . | toString -}}
{{- if not (regexMatch "^[0-9]+(ms|s|m|h)$" $text) -}}
{{- fail (printf "config.shutdown: %q is not a duration like 500ms, 5s or 2m" $text) -}}
{{- end -}}
{{- $number := regexFind "^[0-9]+" $text | atoi -}}
{{- $unit := regexFind "[a-z]+$" $text -}}
{{- if eq $unit "ms" -}}
{{- divf $number 1000 | ceil | int -}}
{{- else -}}
{{- mul $number (get (dict "s" 1 "m" 60 "h" 3600) $unit) -}}
{{- end -}}
{{- end -}}

{{/* Both times count from the signal; their sum and some is more than a drain can take. */}}
{{- define "sluice.grace" -}}
{{- $shutdown := default dict .Values.config.shutdown -}}
{{- $delay := include "sluice.seconds" (default "3s" $shutdown.delay) | int -}}
{{- $drain := include "sluice.seconds" (default "120s" $shutdown.drain) | int -}}
{{- $needed := add $delay $drain 5 | int -}}
{{- $said := .Values.terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $said -}}
{{- add $needed 20 -}}
{{- else if lt (int $said) $needed -}}
{{- fail (printf "terminationGracePeriodSeconds: %d is too short, the kubelet would kill what still drains; the configuration needs %d" (int $said) $needed) -}}
{{- else -}}
{{- int $said -}}
{{- end -}}
{{- end -}}

{{- define "sluice.demoKey" -}}sluice-demo-key{{- end -}}

{{/* Where the chart's own secrets are mounted. */}}
{{- define "sluice.secrets" -}}/run/secrets/sluice{{- end -}}

{{- define "sluice.adminSecret" -}}
{{- default (printf "%s-admin" (include "sluice.fullname" .)) .Values.admin.existingSecret -}}
{{- end -}}

{{- define "sluice.sharesRedis" -}}
{{- if or .Values.redis.url .Values.redis.existingSecret .Values.config.redis -}}true{{- end -}}
{{- end -}}

{{- define "sluice.replicas" -}}
{{- .Values.autoscaling.enabled | ternary .Values.autoscaling.minReplicas .Values.replicaCount -}}
{{- end -}}

{{/* What the api listener speaks. */}}
{{- define "sluice.scheme" -}}
{{- dig "listeners" "api" "tls" "" .Values.config | empty | ternary "http" "https" -}}
{{- end -}}
