{{/* What the pods of both have in common. */}}

{{/* A list of the context, the values of the component, and what to put behind its repository. */}}
{{- define "flint.image" -}}
{{- $root := index . 0 -}}
{{- $image := (index . 1).image -}}
{{- with $root.Values.image.registry }}{{ . }}/{{ end -}}
{{- $image.repository }}{{ index . 2 -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default $root.Chart.AppVersion }}{{ end -}}
{{- end -}}

{{/* A list of the context, the component and its values. */}}
{{- define "flint.podMetadata" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 -}}
labels:
  {{- include "flint.selector" (index . 1) | nindent 2 }}
  {{- with $values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $settings := include "flint.settingsReadBy" . }}
{{- $sharesPorts := and (eq (index . 1) "proxy") (include "flint.sharesPorts" $root) }}
{{- if or $values.podAnnotations $settings $sharesPorts }}
annotations:
  {{- with $values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with $settings }}
  flint.dev/settings-digest: {{ sha256sum . | trunc 16 | quote }}
  {{- end }}
  {{- if $sharesPorts }}
  # Where the operator asks for it: one of them is its own.
  flint.dev/admin-ports: "9901,9902"
  {{- end }}
{{- end }}
{{- end -}}

{{/* The settings that the component acts by, as text, or nothing: its pods read them once, at their start. */}}
{{- define "flint.settingsReadBy" -}}
{{- $settings := (index . 0).Values.settings -}}
{{- $read := pick $settings "trustedProxies" "proxyProtocol" "limits" -}}
{{- if eq (index . 1) "operator" -}}
{{- $read = omit $settings "trustedProxies" "proxyProtocol" "limits" -}}
{{- end -}}
{{- if $read }}{{ toJson $read }}{{ end -}}
{{- end -}}

{{/* A list of the context, the component and its values: where its pods run, as whom, and with what. */}}
{{- define "flint.podSpec" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $values := index . 2 -}}
{{- $selector := include "flint.selector" $component | fromYaml -}}
serviceAccountName: {{ include "flint.fullname" $root }}-{{ $component }}
automountServiceAccountToken: true
# Services named flint-... would look like settings of Flint in the environment.
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $values.priorityClassName }}
priorityClassName: {{ $values.priorityClassName }}
{{- else if and $root.Values.priorityClass.create (not $root.Values.watchNamespaces) }}
priorityClassName: {{ include "flint.fullname" $root }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $values.affinity }}
affinity:
  {{- toYaml $values.affinity | nindent 2 }}
{{- else if or (eq $component "operator") (eq $root.Values.proxy.kind "Deployment") }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- toYaml $selector | nindent 14 }}
{{- end }}
{{- with $values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  {{- $constraint := . }}
  {{- if not (hasKey . "labelSelector") }}
  {{- $constraint = set (deepCopy .) "labelSelector" (dict "matchLabels" $selector) }}
  {{- end }}
  - {{- toYaml $constraint | nindent 4 }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- $settings := include "flint.settingsReadBy" . }}
{{- if or $settings $values.extraVolumes }}
volumes:
  {{- if $settings }}
  - name: settings
    configMap: {name: {{ include "flint.fullname" $root }}-settings}
  {{- end }}
  {{- with $values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The same list: the end of its container. */}}
{{- define "flint.containerEnd" -}}
{{- $sharesPorts := and (eq (index . 1) "proxy") (include "flint.sharesPorts" (index . 0)) }}
{{- $admin := ternary 9901 "admin" (not (empty $sharesPorts)) }}
{{- if $sharesPorts }}
# As long as the pod before it has the port, that one answers there; this asks the new one itself, however long it takes to have routes.
startupProbe:
  exec:
    command:
      {{- include "flint.readyCommand" (index . 0) | nindent 6 }}
  periodSeconds: 2
  timeoutSeconds: 10
  failureThreshold: 1000000000
{{- end }}
livenessProbe:
  httpGet: {path: /livez, port: {{ $admin }}}
  timeoutSeconds: 5
readinessProbe:
  httpGet: {path: /readyz, port: {{ $admin }}}
  periodSeconds: 2
  timeoutSeconds: 3
{{- $settings := include "flint.settingsReadBy" . }}
{{- $mounts := (index . 2).extraVolumeMounts }}
{{- if or $settings $mounts }}
volumeMounts:
  {{- if $settings }}
  - {name: settings, mountPath: /etc/flint, readOnly: true}
  {{- end }}
  {{- with $mounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with (index . 2).resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Not empty where two data-plane pods may be on the network of one node at a time, while one replaces the other. */}}
{{- define "flint.sharesPorts" -}}
{{- if and (eq .Values.proxy.exposure "HostNetwork") (eq .Values.proxy.kind "DaemonSet") -}}
yes
{{- end -}}
{{- end -}}

{{/* The entrypoint of the image, with the command that asks the data plane of this pod whether it is ready. */}}
{{- define "flint.readyCommand" -}}
- /usr/bin/{{ .Values.proxy.runtime }}
- /opt/flint/lib/flint/main.js
- ready
- --admin={{ .Values.listenAddress }}:9901
- --admin-spare={{ .Values.listenAddress }}:9902
{{- end -}}
