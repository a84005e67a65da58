{{- define "falloff.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "falloff.labels" -}}
app.kubernetes.io/name: falloff
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* what selects the pods of one part: (list root part) */}}
{{- define "falloff.selector" -}}
app.kubernetes.io/name: falloff
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "falloff.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "falloff.claim" -}}
{{ .Values.vault.volume.existingClaim | default (printf "%s-vault" (include "falloff.name" .)) }}
{{- end -}}

{{/* seconds of 3h, 90m or 45s */}}
{{- define "falloff.seconds" -}}
{{- $n := regexFind "^[0-9]+" . | int -}}
{{- if hasSuffix "h" . }}{{ mul $n 3600 }}{{ else if hasSuffix "m" . }}{{ mul $n 60 }}{{ else }}{{ $n }}{{ end -}}
{{- end -}}

{{- define "falloff.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
# Files of the vault are 0600 and stay so: the volume's modes are set once, not at every start.
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "falloff.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "falloff.resources" -}}
requests:
  cpu: {{ .cpu.request | quote }}
  memory: {{ .memory.request }}
limits:
  cpu: {{ .cpu.limit | quote }}
  memory: {{ .memory.limit }}
{{- end -}}

{{/* the environment of every container: (list root actor); an actor is who the audit log says acts */}}
{{- define "falloff.environment" -}}
{{- $root := index . 0 -}}
- name: HOME
  value: /tmp
- name: AWS_REGION
  value: {{ $root.Values.region }}
{{- if $root.Values.store.endpoint }}
- name: AWS_ENDPOINT_URL
  value: {{ $root.Values.store.endpoint }}
{{- end }}
{{- with index . 1 }}
- name: FALLOFF_ACTOR
  value: {{ . }}
{{- end }}
{{- if eq $root.Values.vault.sealedBy "passphrase" }}
# A mounted secret cannot be 0600 and another user's: it is handed over the way systemd does it.
- name: CREDENTIALS_DIRECTORY
  value: /run/credentials/falloff
{{- end }}
{{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
{{- if $root.Values.store.existingSecret }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ $root.Values.store.existingSecret }}
      key: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "falloff.mounts" -}}
- name: settings
  mountPath: /etc/falloff
  readOnly: true
- name: vault
  mountPath: /var/lib/falloff
- name: memory
  mountPath: /dev/shm
- name: temporary
  mountPath: /tmp
- name: cache
  mountPath: /var/cache/falloff
{{- if eq .Values.vault.sealedBy "passphrase" }}
- name: passphrase
  mountPath: /run/credentials/falloff
  readOnly: true
{{- end }}
{{- end -}}

{{/* (list root sharedMemory) */}}
{{- define "falloff.volumes" -}}
{{- $root := index . 0 -}}
- name: settings
  configMap:
    name: {{ include "falloff.name" $root }}
- name: vault
  persistentVolumeClaim:
    claimName: {{ include "falloff.claim" $root }}
# What names patients lies here, and here alone.
- name: memory
  emptyDir:
    medium: Memory
    sizeLimit: {{ index . 1 }}
- name: temporary
  emptyDir:
    medium: Memory
    sizeLimit: {{ index . 1 }}
# Sealed under the clinic's key: it may lie on the node's disk.
- name: cache
  emptyDir:
    sizeLimit: 4Gi
{{- if eq $root.Values.vault.sealedBy "passphrase" }}
- name: passphrase
  secret:
    secretName: {{ $root.Values.vault.existingSecret }}
    defaultMode: 0440
    items:
      - key: falloff-passphrase
        path: falloff-passphrase
{{- end }}
{{- end -}}

{{/* which exit codes are worth another try: docs/running.md, Exit codes */}}
{{- define "falloff.failures" -}}
rules:
  # The node was drained or is gone: that is not the run's failure.
  - action: Ignore
    onPodConditions:
      - type: DisruptionTarget
        status: "True"
  # Everything but 5 (try later), 6 (the lake does not answer) and 130 (interrupted) fails at once: a refused password least of all
  # is tried again.
  - action: FailJob
    onExitCodes:
      containerName: falloff
      operator: NotIn
      values: [5, 6, 130]
{{- end -}}

{{/* where a part may send to: (list root parts...) of portal, store, identity, issuers */}}
{{- define "falloff.egress" -}}
{{- $root := index . 0 -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ $root.Values.network.dns.namespace }}
      podSelector:
        matchLabels:
          {{- toYaml $root.Values.network.dns.podLabels | nindent 10 }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- range $part := rest . }}
{{- $at := index $root.Values.network $part }}
{{- if $at.cidrs }}
- to:
    {{- range $at.cidrs }}
    - ipBlock:
        cidr: {{ . }}
    {{- end }}
  ports:
    - {protocol: TCP, port: {{ $at.port | default 443 }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "falloff.ciliumEgress" -}}
{{- $root := index . 0 -}}
- toEndpoints:
    - matchLabels:
        k8s:io.kubernetes.pod.namespace: {{ $root.Values.network.dns.namespace }}
        {{- range $key, $value := $root.Values.network.dns.podLabels }}
        k8s:{{ $key }}: {{ $value }}
        {{- end }}
  toPorts:
    - ports:
        - {port: "53", protocol: ANY}
      rules:
        dns:
          {{- range $part := rest . }}
          {{- range (index $root.Values.network $part).names }}
          - matchName: {{ . }}
          {{- end }}
          {{- end }}
{{- range $part := rest . }}
{{- $at := index $root.Values.network $part }}
{{- if $at.names }}
- toFQDNs:
    {{- range $at.names }}
    - matchName: {{ . }}
    {{- end }}
  toPorts:
    - ports:
        - {port: {{ $at.port | default 443 | quote }}, protocol: TCP}
{{- end }}
{{- end }}
{{- end -}}
