{{- define "flowtally.name" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* What never changes: a DaemonSet's selector cannot. */}}
{{- define "flowtally.selector" -}}
app.kubernetes.io/name: flowtally
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "flowtally.labels" -}}
{{ include "flowtally.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "flowtally.image" -}}
{{- $missing := "image.repository is missing: scripts/image makes the image, there is no public one" -}}
{{- $repository := required $missing .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{ $repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ $repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/*
Where the container sees the node's BPF file system. Not below /sys: the AppArmor profiles that container runtimes give by
default forbid to write there, whatever the capabilities, and pins could not be made.
*/}}
{{- define "flowtally.bpffs" -}}
/bpf
{{- end -}}

{{/* Of every container, because a quota of the namespace may ask each for its limits. */}}
{{- define "flowtally.resources" -}}
{{- with .Values.resources -}}
resources:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "flowtally.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "flowtally.name" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{/* The Secret whose keys are files, or nothing. */}}
{{- define "flowtally.secret" -}}
{{- if .Values.existingSecret -}}
{{ .Values.existingSecret }}
{{- else if .Values.secrets -}}
{{ include "flowtally.name" . }}-secrets
{{- end -}}
{{- end -}}

{{- define "flowtally.user" -}}
{{ printf "%d:%d" (int .Values.user) (int .Values.group) }}
{{- end -}}

{{/* Rights of what touches the kernel. */}}
{{- define "flowtally.rights" -}}
{{- if eq .Values.variant "privileged" -}}
privileged: true
{{- else -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
  add:
    # Load, attach and pin; read the counters of each CPU; take off what the device dropped.
    - BPF
    - NET_ADMIN
    - PERFMON
    # Become the user of the unprivileged part, and give it its folders.
    - SETUID
    - SETGID
    - CHOWN
    {{- if .Values.kernelsBefore511 }}
    # Lock the memory of maps.
    - SYS_RESOURCE
    {{- end }}
seccompProfile:
  {{- toYaml .Values.seccompProfile | nindent 2 }}
{{- with .Values.seLinuxOptions }}
seLinuxOptions:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
readOnlyRootFilesystem: true
# Root owns the pins. Its group is that of the unprivileged part, whose folders and files it can open by it.
runAsUser: 0
runAsGroup: {{ int .Values.group }}
{{- end -}}

{{/* Of what needs no right at all. */}}
{{- define "flowtally.noRights" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: {{ int .Values.user }}
runAsGroup: {{ int .Values.group }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "flowtally.probe" -}}
exec:
  command: [flowtally, status, {{ .asks }}]
{{ toYaml .timing }}
{{- end -}}

{{/* Labels and annotations of pods may not be those by which the chart finds its own. */}}
{{- define "flowtally.podLabels" -}}
{{- merge (include "flowtally.selector" . | fromYaml) .Values.podLabels | toYaml -}}
{{- end -}}
