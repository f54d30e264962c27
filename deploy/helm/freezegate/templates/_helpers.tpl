{{/*
The name of every object: the release's name, and the chart's unless that is part of it already.
49 characters leave room for -notifications in the 63 of a name.
*/}}
{{- define "freezegate.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 49 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 49 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The labels that select the pods. They never change: a Deployment's selector can't. */}}
{{- define "freezegate.selectorLabels" -}}
app.kubernetes.io/name: freezegate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "freezegate.labels" -}}
{{ include "freezegate.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "freezegate.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "freezegate.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "freezegate.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The path of the ingress. Probes ask below the root: the gate answers there as well. */}}
{{- define "freezegate.path" -}}
{{- .Values.settings.rootPath | default "/" -}}
{{- end -}}

{{/* Refuse values that are valid one by one but not together. */}}
{{- define "freezegate.validate" -}}
{{- $policies := .Values.policies -}}
{{- if and (not $policies.inline) (not $policies.existingConfigMap) -}}
{{- fail "policies: give policies.inline (--set-file policies.inline=policies.yaml) or policies.existingConfigMap" -}}
{{- end -}}
{{- if and $policies.inline $policies.existingConfigMap -}}
{{- fail "policies: give policies.inline or policies.existingConfigMap, not both" -}}
{{- end -}}
{{- if and .Values.identity.inline .Values.identity.existingConfigMap -}}
{{- fail "identity: give identity.inline or identity.existingConfigMap, not both" -}}
{{- end -}}
{{- if and .Values.notifications.inline (not .Values.notifications.existingSecret) -}}
{{- fail "notifications: the receivers' URLs are secrets; name the Secret with them in notifications.existingSecret" -}}
{{- end -}}
{{- if and .Values.integrations.inline (not .Values.integrations.existingSecret) -}}
{{- fail "integrations: name the Secret with their keys and tokens in integrations.existingSecret" -}}
{{- end -}}
{{- if and .Values.admission.enabled (not (and .Values.ingress.enabled .Values.ingress.tlsSecret)) -}}
{{- fail "admission: Kubernetes calls webhooks over HTTPS only; set ingress.enabled and ingress.tlsSecret" -}}
{{- end -}}
{{- if and .Values.admission.enabled (not .Values.integrations.existingSecret) -}}
{{- fail "admission: name the Secret with the section kubernetes in integrations.existingSecret" -}}
{{- end -}}
{{- if and (eq .Values.database.type "sqlite") (gt (int .Values.replicas) 1) -}}
{{- fail "replicas: SQLite is one file and takes one replica; set database.type to postgresql for several" -}}
{{- end -}}
{{- if and .Values.settings.keepDecisions (eq .Values.database.type "postgresql") (not .Values.settings.archive) (not .Values.archive.existingClaim) -}}
{{- fail "settings.keepDecisions: say where pruned decisions go: archive.existingClaim, a volume that all replicas can write; or settings.archive: none" -}}
{{- end -}}
{{- if and (eq .Values.database.type "postgresql") (not .Values.database.postgresql.existingSecret) -}}
{{- fail "database: name the Secret with the URL of PostgreSQL in database.postgresql.existingSecret" -}}
{{- end -}}
{{- end -}}
