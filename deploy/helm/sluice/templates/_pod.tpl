{{/* The pod, the same under a Deployment and a StatefulSet. */}}
{{- define "sluice.pod" -}}
metadata:
  labels:
    {{- include "sluice.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- $restart := eq .Values.reload "restart" }}
  {{- if or $restart .Values.podAnnotations }}
  annotations:
    {{- if $restart }}
    checksum/config: {{ include "sluice.config" . | sha256sum }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
spec:
  serviceAccountName: {{ include "sluice.serviceAccount" . }}
  automountServiceAccountToken: false
  # Addresses of other Services are not Sluice's settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "sluice.grace" . }}
  {{- include "sluice.podCommon" . | nindent 2 }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    - {{ toYaml . | nindent 6 | trim }}
      {{- if not .labelSelector }}
      labelSelector:
        matchLabels:
          {{- include "sluice.selector" $ | nindent 10 }}
      {{- end }}
    {{- end }}
  {{- end }}
  {{- if .Values.demo.enabled }}
  initContainers:
    # With restartPolicy a sidecar: it starts before the gateway and ends after it, so the demo's streams outlive a rollout.
    - name: mock
      image: {{ include "sluice.image" (dict "image" .Values.image "tag" .Chart.AppVersion) }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      restartPolicy: Always
      command: [/sluice]
      args: [mock, --listen, "127.0.0.1:4010"]
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      resources:
        {{- toYaml .Values.demo.resources | nindent 8 }}
  {{- end }}
  containers:
    - name: sluice
      image: {{ include "sluice.image" (dict "image" .Values.image "tag" .Chart.AppVersion) }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: [/sluice]
      args: [serve, --config, /etc/sluice/sluice.yaml]
      ports:
        - {name: api, containerPort: {{ include "sluice.port" (dict "root" . "of" "api") }}, protocol: TCP}
        - {name: admin, containerPort: {{ include "sluice.port" (dict "root" . "of" "admin") }}, protocol: TCP}
      # Neither asks a provider or Redis: an outage of theirs must not take the replicas out.
      startupProbe:
        httpGet: {path: /livez, port: admin}
        periodSeconds: 1
        failureThreshold: 30
      livenessProbe:
        httpGet: {path: /livez, port: admin}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: {path: /readyz, port: admin}
        periodSeconds: 5
        timeoutSeconds: 2
        failureThreshold: 2
      {{- with include "sluice.environment" . | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        # The folder and not the file: a file mounted by itself (subPath) would never change.
        - {name: config, mountPath: /etc/sluice, readOnly: true}
        - {name: state, mountPath: {{ .Values.config.state_dir }}}
        {{- include "sluice.secretMounts" . | nindent 8 }}
  volumes:
    - name: config
      configMap: {name: {{ include "sluice.fullname" . }}}
    {{- if not .Values.persistence.enabled }}
    - name: state
      emptyDir: {sizeLimit: {{ .Values.persistence.emptyDirSizeLimit }}}
    {{- end }}
    - name: admin
      secret:
        secretName: {{ include "sluice.adminSecret" . }}
        defaultMode: 0440
        items: [{key: {{ .Values.admin.key }}, path: token}]
    {{- with include "sluice.secretVolumes" . | trim }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* What every pod of the chart has, those of `helm test` and of the preflight too. */}}
{{- define "sluice.podCommon" -}}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "sluice.environment" -}}
{{- with .Values.existingSecret -}}
envFrom:
  - secretRef: {name: {{ . }}}
{{ end }}
{{- with .Values.extraEnv -}}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Secrets as files; the preflight has them too. */}}
{{- define "sluice.secretMounts" -}}
- {name: admin, mountPath: {{ include "sluice.secrets" . }}/admin, readOnly: true}
{{- if .Values.redis.existingSecret }}
- {name: redis, mountPath: {{ include "sluice.secrets" . }}/redis, readOnly: true}
{{- end }}
{{- range .Values.secretMounts }}
- {name: {{ printf "secret-%s" .name }}, mountPath: {{ .path }}, readOnly: true}
{{- end }}
{{- end -}}

{{/* All but the admin token. Readable by the group alone, which is the gateway's (fsGroup). */}}
{{- define "sluice.secretVolumes" -}}
{{- with .Values.redis.existingSecret }}
- name: redis
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items: [{key: {{ $.Values.redis.key }}, path: url}]
{{- end }}
{{- range .Values.secretMounts }}
- name: {{ printf "secret-%s" .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    {{- with .items }}
    items:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
{{- end -}}
