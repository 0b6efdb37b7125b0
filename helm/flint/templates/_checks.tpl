{{/* What the schema cannot say, since it takes two values to be wrong. */}}
{{- define "flint.checks" -}}
{{- $proxy := .Values.proxy -}}
{{- if eq .Values.routesNamespace.name .Release.Namespace -}}
{{- fail "routesNamespace.name must not be the namespace of the release: whoever serves may read every Secret in it" -}}
{{- end -}}
{{- if has .Values.routesNamespace.name .Values.watchNamespaces -}}
{{- fail "routesNamespace.name must not be among watchNamespaces: nothing but what the operator publishes may live in it" -}}
{{- end -}}
{{- if and $proxy.autoscaling.enabled (ne $proxy.kind "Deployment") -}}
{{- fail "proxy.autoscaling needs proxy.kind Deployment: a DaemonSet has a pod on each node" -}}
{{- end -}}
{{- if and $proxy.autoscaling.enabled (lt (int $proxy.autoscaling.maxReplicas) (int $proxy.autoscaling.minReplicas)) -}}
{{- fail "proxy.autoscaling.maxReplicas is less than minReplicas" -}}
{{- end -}}
{{- if and $proxy.autoscaling.enabled (not (dig "requests" "cpu" "" $proxy.resources)) -}}
{{- fail "proxy.autoscaling needs proxy.resources.requests.cpu, of which it aims at a share" -}}
{{- end -}}
{{- if and (has $proxy.exposure (list "HostPort" "HostNetwork")) (eq (int $proxy.hostPorts.http) (int $proxy.hostPorts.https)) -}}
{{- fail "proxy.hostPorts.http and https are one port" -}}
{{- end -}}
{{- if and (include "flint.sharesPorts" .) (has 9902 (list (int $proxy.hostPorts.http) (int $proxy.hostPorts.https))) -}}
{{- fail "proxy.hostPorts must not be 9902 on the host's network: that is the admin port of a pod that replaces another" -}}
{{- end -}}
{{- if and (eq $proxy.exposure "HostNetwork") (has 9901 (list (int $proxy.hostPorts.http) (int $proxy.hostPorts.https))) -}}
{{- fail "proxy.hostPorts must not be 9901 on the host's network: that is the admin port" -}}
{{- end -}}
{{- if eq (int $proxy.service.httpPort) (int $proxy.service.httpsPort) -}}
{{- fail "proxy.service.httpPort and httpsPort are one port" -}}
{{- end -}}
{{- if and (eq $proxy.exposure "LoadBalancer") (ne $proxy.service.ipFamilyPolicy "SingleStack") (ne .Values.listenAddress "[::]") -}}
{{- fail "proxy.service.ipFamilyPolicy asks for IPv6 too: listenAddress has to be [::]" -}}
{{- end -}}
{{- range $labels := list .Values.commonLabels .Values.operator.podLabels $proxy.podLabels -}}
{{- range $label := list "app.kubernetes.io/name" "app.kubernetes.io/component" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart" -}}
{{- if hasKey $labels $label -}}
{{- fail (printf "%s is a label of the chart's own: commonLabels and podLabels are for others" $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.operator.publishAddresses .Values.operator.publishService -}}
{{- fail "operator.publishAddresses and operator.publishService both say where Flint is reached: give one" -}}
{{- end -}}
{{- end -}}
