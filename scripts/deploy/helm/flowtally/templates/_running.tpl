{{/* The rest of the pod that counts. */}}
{{- define "flowtally.running" -}}
terminationGracePeriodSeconds: {{ int .Values.terminationGracePeriodSeconds }}
securityContext:
  # The files of the ConfigMap and the Secret are root's and of this group: the unprivileged part reads them anew when
  # it is told to.
  fsGroup: {{ int .Values.group }}
initContainers:
  # A wrong configuration stops a rolling update at its first nodes.
  - name: config
    image: {{ include "flowtally.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    # All that the configuration may name has to be there: what extraVolumes bring too.
    command: [flowtally, config, check]
    {{- with include "flowtally.env" . }}
    {{- . | nindent 4 }}
    {{- end }}
    securityContext:
      {{- include "flowtally.noRights" . | nindent 6 }}
    {{- with include "flowtally.resources" . }}
    {{- . | nindent 4 }}
    {{- end }}
    volumeMounts:
      {{- include "flowtally.configMounts" . | nindent 6 }}
  {{- if .Values.check }}
  - name: check
    image: {{ include "flowtally.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [flowtally, check, --bpffs, {{ include "flowtally.bpffs" . }}, --user, {{ include "flowtally.user" . | quote }}]
    securityContext:
      {{- include "flowtally.rights" . | nindent 6 }}
    {{- with include "flowtally.resources" . }}
    {{- . | nindent 4 }}
    {{- end }}
    volumeMounts:
      {{- include "flowtally.hostMounts" . | nindent 6 }}
  {{- end }}
containers:
  - name: flowtally
    image: {{ include "flowtally.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [flowtally, run, --bpffs, {{ include "flowtally.bpffs" . }}, --user, {{ include "flowtally.user" . | quote }}]
    {{- with .Values.extraArgs }}
    args:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with include "flowtally.env" . }}
    {{- . | nindent 4 }}
    {{- end }}
    securityContext:
      {{- include "flowtally.rights" . | nindent 6 }}
    {{- with include "flowtally.resources" . }}
    {{- . | nindent 4 }}
    {{- end }}
    startupProbe:
      {{- include "flowtally.probe" (dict "asks" "--healthy" "timing" .Values.probes.startup) | nindent 6 }}
    livenessProbe:
      {{- include "flowtally.probe" (dict "asks" "--healthy" "timing" .Values.probes.liveness) | nindent 6 }}
    readinessProbe:
      {{- include "flowtally.probe" (dict "asks" "--ready" "timing" .Values.probes.readiness) | nindent 6 }}
    volumeMounts:
      {{- include "flowtally.configMounts" . | nindent 6 }}
      {{- include "flowtally.hostMounts" . | nindent 6 }}
volumes:
  - name: config
    configMap:
      name: {{ include "flowtally.name" . }}
      defaultMode: 0440
  {{- with include "flowtally.secret" . }}
  - name: secrets
    secret:
      secretName: {{ . }}
      # flowtally refuses a secret that every user may read.
      defaultMode: 0440
  {{- end }}
  - name: bpffs
    hostPath:
      path: {{ .Values.hostPaths.bpffs }}
      type: Directory
  - name: state
    hostPath:
      path: {{ .Values.hostPaths.state }}
      type: DirectoryOrCreate
  - name: socket
    hostPath:
      path: {{ .Values.hostPaths.socket }}
      type: DirectoryOrCreate
  - name: tailscale
    hostPath:
      path: {{ .Values.hostPaths.tailscale }}
      type: DirectoryOrCreate
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "flowtally.env" -}}
{{- $node := contains "${NODE_NAME" (toYaml .Values.config) -}}
{{- if or $node .Values.env -}}
env:
  {{- if $node }}
  - name: NODE_NAME
    valueFrom:
      fieldRef:
        fieldPath: spec.nodeName
  {{- end }}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{- define "flowtally.configMounts" -}}
- name: config
  mountPath: /etc/flowtally
  readOnly: true
{{- if include "flowtally.secret" . }}
- name: secrets
  mountPath: /etc/flowtally/secrets
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "flowtally.hostMounts" -}}
# No propagation: the node mounts it before any pod, flowtally mounts nothing.
- name: bpffs
  mountPath: {{ include "flowtally.bpffs" . }}
- name: state
  mountPath: /var/lib/flowtally
- name: socket
  mountPath: /run/flowtally
# To connect to a socket nothing of its folder has to be writable.
- name: tailscale
  mountPath: /var/run/tailscale
  readOnly: true
{{- end -}}
