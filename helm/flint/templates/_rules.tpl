{{/* What the operator may do where objects of users are: in a ClusterRole, or in a Role of each watched namespace. */}}
{{- define "flint.rulesOfWatched" -}}
- apiGroups: [flint.dev]
  resources: [ingressroutes]
  verbs: [list, watch]
- apiGroups: [flint.dev]
  resources: [ingressroutes/status]
  verbs: [patch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [list, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch]
# The API server is asked for those of type kubernetes.io/tls alone; RBAC cannot say that.
- apiGroups: [""]
  resources: [secrets]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{/* It deletes none: they go with their routes. An apply may create: both verbs are asked for. */}}
{{- define "flint.rulesOfCertManager" -}}
- apiGroups: [cert-manager.io]
  resources: [certificates]
  verbs: [list, watch, create, patch]
{{- end -}}

{{/* A dict: root, kind (Role or ClusterRole), namespace, name, component, rules. The role, and its binding to the component. */}}
{{- define "flint.role" -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . | quote }}
  {{- end }}
  labels:
    {{- include "flint.labels" (list .root .component) | nindent 4 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . | quote }}
  {{- end }}
  labels:
    {{- include "flint.labels" (list .root .component) | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ .kind }}, name: {{ .name }}}
subjects:
  - {kind: ServiceAccount, name: {{ include "flint.fullname" .root }}-{{ .component }}, namespace: {{ .root.Release.Namespace }}}
{{ end -}}
