{{/* Labels of an object; takes its name and the chart's scope. */}}
{{- define "metalbond.labels" -}}
app.kubernetes.io/name: {{ .name }}
{{- with .instance }}
app.kubernetes.io/instance: {{ . }}
{{- end }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* Labels of an object for the Prometheus operator, which may select these objects by labels of its own. */}}
{{- define "metalbond.monitor.labels" -}}
{{ include "metalbond.labels" . }}
{{- with .root.Values.monitoring.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The labels by which an object finds its pods. */}}
{{- define "metalbond.selector" -}}
app.kubernetes.io/name: {{ .name }}
{{- with .instance }}
app.kubernetes.io/instance: {{ . }}
{{- end }}
{{- end }}

{{- define "metalbond.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{/* The image of a container, and when to pull it. */}}
{{- define "metalbond.pull" -}}
image: {{ include "metalbond.image" . }}
{{- with .Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end }}
