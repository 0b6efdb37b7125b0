{{/* Names and labels. */}}

{{- define "flint.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "flint" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-flint" (.Release.Name | trunc 34 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* By which the operator finds the data plane, and which never change. There is no app.kubernetes.io/instance: Argo CD writes
     that one itself. One Flint lives in a namespace, so nothing has to be told apart. */}}
{{- define "flint.selector" -}}
app.kubernetes.io/name: flint
app.kubernetes.io/component: {{ . }}
{{- end -}}

{{/* A list of the context and the component; the component may be empty. */}}
{{- define "flint.labels" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
app.kubernetes.io/name: flint
{{- if $component }}
app.kubernetes.io/component: {{ $component }}
{{- end }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* NAMESPACE/NAME of the Service whose load balancer says where Flint is reached, or nothing. */}}
{{- define "flint.publishService" -}}
{{- if .Values.operator.publishService -}}
{{- .Values.operator.publishService -}}
{{- else if and (eq .Values.proxy.exposure "LoadBalancer") (eq .Values.proxy.service.type "LoadBalancer") (not .Values.operator.publishAddresses) -}}
{{- printf "%s/%s-proxy" .Release.Namespace (include "flint.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* Not empty where the operator may keep Certificates. */}}
{{- define "flint.hasCertManager" -}}
{{- $enabled := toString .Values.certManager.enabled -}}
{{- if or (eq $enabled "true") (and (eq $enabled "auto") (.Capabilities.APIVersions.Has "cert-manager.io/v1")) -}}
yes
{{- end -}}
{{- end -}}
