{{/* The pod of a reflector: of a Deployment on the pod network, of a DaemonSet on the host's. Takes fullname, selector and
root. A handover has two pods on one node: none may declare a port of the host, or drain whoever serves. */}}
{{- define "metalbond.reflector.pod" -}}
{{- $server := .root.Values.server -}}
{{- $onHost := eq $server.kind "DaemonSet" -}}
{{- $handover := $server.handover -}}
{{- $health := ternary 8082 "health" $handover -}}
metadata:
  labels:
    {{- .selector | nindent 4 }}
  annotations:
    checksum/config: {{ sha256sum $server.config }}
spec:
  automountServiceAccountToken: false
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $onHost }}
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  {{- with $server.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $server.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- else }}
  # Two on one node would go down together.
  affinity:
    podAntiAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        - topologyKey: kubernetes.io/hostname
          labelSelector:
            matchExpressions:
              - key: app.kubernetes.io/name
                operator: In
                values: [metalbond-server]
  {{- end }}
  # 50 s for the drain, and 5 s for what is queued.
  terminationGracePeriodSeconds: 60
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile:
      {{- if $server.ioUring }}
      type: Localhost
      localhostProfile: metalbond.json
      {{- else }}
      # Forbids io_uring in most runtimes; the reflector uses epoll then and says so.
      type: RuntimeDefault
      {{- end }}
  containers:
    - name: metalbond
      {{- include "metalbond.pull" .root | nindent 6 }}
      args:
        - server
        - --config=/etc/metalbond/server.toml
        - --health=:8082
        {{- if not $onHost }}
        # On the pod's loopback: kubectl port-forward deployment/{{ .fullname }} 8080
        - --http=8080
        {{- end }}
        - --log-format=json
        {{- if $handover }}
        - --takeover
        # Else the kubelet starts the old container again, which takes over from the new one.
        - --linger
        {{- end }}
        {{- with $server.arguments }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- if not $handover }}
      ports:
        - name: metalbond
          containerPort: 4711
        - name: health
          containerPort: 8082
      lifecycle:
        # Leaves are sent to their other reflector one after the other, and not all at once.
        preStop:
          exec:
            command: [metalbond, ctl, drain, --rate=1000, --wait, --timeout=50s]
      {{- end }}
      startupProbe:
        httpGet:
          path: /livez
          port: {{ $health }}
        periodSeconds: 1
        failureThreshold: 30
      # 503 when a shard has not turned its loop for 2 s.
      livenessProbe:
        httpGet:
          path: /livez
          port: {{ $health }}
        periodSeconds: 5
        timeoutSeconds: 2
        failureThreshold: 3
      # 503 while it stops: no new sessions are sent to it.
      readinessProbe:
        httpGet:
          path: /readyz
          port: {{ $health }}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 1
      resources:
        {{- toYaml $server.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - name: config
          mountPath: /etc/metalbond
          readOnly: true
        - name: run
          mountPath: /run/metalbond
        {{- with $server.volumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: run
      {{- if $handover }}
      hostPath:
        path: /run/metalbond
        type: Directory
      {{- else }}
      emptyDir:
        medium: Memory
        sizeLimit: 1Mi
      {{- end }}
    - name: config
      configMap:
        name: {{ .fullname }}
    {{- with $server.volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* For the ServiceMonitor only: it opens health and metrics. */}}
{{- define "metalbond.reflector.metrics" -}}
apiVersion: v1
kind: Service
metadata:
  name: metalbond-server-metrics{{ .suffix }}
  labels:
    {{- .labels | nindent 4 }}
    app.kubernetes.io/component: metrics
spec:
  clusterIP: None
  # Also of one that drains.
  publishNotReadyAddresses: true
  selector:
    {{- .selector | nindent 4 }}
  ports:
    - name: health
      port: 8082
      targetPort: {{ ternary 8082 "health" .root.Values.server.handover }}
{{- end }}

{{- define "metalbond.reflector.config" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .fullname }}
  labels:
    {{- .labels | nindent 4 }}
data:
  server.toml: |
    {{- .root.Values.server.config | nindent 4 }}
{{- end }}
