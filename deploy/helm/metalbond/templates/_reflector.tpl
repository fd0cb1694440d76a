{{/* The pod of a reflector: on the pod network for a Deployment, on the host's network for a DaemonSet. Takes
fullname, selector and root. With handover, two pods run on one node: neither may declare a port of the host, or drain
the other. */}}
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
  # Two reflectors on one node would fail together.
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
  # 50 s for the drain, and 5 s to send what is queued.
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
      # Most runtimes forbid io_uring by this profile; the reflector then uses epoll and logs it.
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
        # Without it, the kubelet would restart the old container, which would take over from the new one.
        - --linger
        {{- end }}
        {{- with $server.arguments }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- if not $handover }}
      ports:
        - name: metalbond
          containerPort: 4711
        {{- with $server.tlsPort }}
        - name: metalbond-tls
          containerPort: {{ . }}
        {{- end }}
        - name: health
          containerPort: 8082
      lifecycle:
        # Ends 1,000 sessions a second, so that leaves do not all reconnect at once.
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
      # 503 when the event loop of a shard has not run for 2 s.
      livenessProbe:
        httpGet:
          path: /livez
          port: {{ $health }}
        periodSeconds: 5
        timeoutSeconds: 2
        failureThreshold: 3
      # 503 while the reflector drains or stops: it then gets no new sessions.
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

{{/* For the ServiceMonitor only: the port of health and metrics. */}}
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
  # Prometheus scrapes the reflector also while it drains.
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
