{{/* Labels of an object; takes its name and the chart's scope. */}}
{{- define "metalbond.labels" -}}
app.kubernetes.io/name: {{ .name }}
{{- with .instance }}
app.kubernetes.io/instance: {{ . }}
{{- end }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* What an object's pods are found by. */}}
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

{{/* How the image is pulled. */}}
{{- define "metalbond.pull" -}}
image: {{ include "metalbond.image" . }}
{{- with .Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end }}
