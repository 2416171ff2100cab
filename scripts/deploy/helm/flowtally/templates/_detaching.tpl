{{/* The rest of the pod that removes, with the image's one program. */}}
{{- define "flowtally.detaching" -}}
initContainers:
  - name: detach
    image: {{ include "flowtally.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [flowtally, detach, --bpffs, {{ include "flowtally.bpffs" . }}, --wait, {{ .Values.detachWait | quote }}]
    securityContext:
      {{- include "flowtally.rights" . | nindent 6 }}
    {{- with include "flowtally.resources" . }}
    {{- . | nindent 4 }}
    {{- end }}
    volumeMounts:
      - name: bpffs
        mountPath: {{ include "flowtally.bpffs" . }}
  {{- if .Values.detachCleaner }}
  - name: clean
    image: {{ .Values.detachCleaner }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command:
      - sh
      - -c
      - rm -rf "/node/state/$STATE" "/node/socket/$SOCKET"
    env:
      - name: STATE
        value: {{ base .Values.hostPaths.state | quote }}
      - name: SOCKET
        value: {{ base .Values.hostPaths.socket | quote }}
    securityContext:
      {{- if eq .Values.variant "privileged" }}
      privileged: true
      {{- else }}
      allowPrivilegeEscalation: false
      capabilities:
        drop: [ALL]
        # The folders are another user's.
        add: [DAC_OVERRIDE]
      seccompProfile:
        type: RuntimeDefault
      {{- with .Values.seLinuxOptions }}
      seLinuxOptions:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
      readOnlyRootFilesystem: true
      runAsUser: 0
    {{- with include "flowtally.resources" . }}
    {{- . | nindent 4 }}
    {{- end }}
    volumeMounts:
      - name: state-parent
        mountPath: /node/state
      - name: socket-parent
        mountPath: /node/socket
  {{- end }}
containers:
  # A DaemonSet's pods may not end. That this one is ready means that detach is done.
  - name: flowtally
    image: {{ include "flowtally.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [flowtally, pause]
    securityContext:
      {{- include "flowtally.noRights" . | nindent 6 }}
    {{- with include "flowtally.resources" . }}
    {{- . | nindent 4 }}
    {{- end }}
volumes:
  - name: bpffs
    hostPath:
      path: {{ .Values.hostPaths.bpffs }}
      type: Directory
  {{- if .Values.detachCleaner }}
  # The folders above, because one that is mounted cannot be removed.
  - name: state-parent
    hostPath:
      path: {{ dir .Values.hostPaths.state }}
      type: Directory
  - name: socket-parent
    hostPath:
      path: {{ dir .Values.hostPaths.socket }}
      type: Directory
  {{- end }}
{{- end -}}
