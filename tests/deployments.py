"""Files as teams deploy with: every form, and what makes editing them hard."""

from __future__ import annotations

OURS = "registry.example.com/team"
OLD = f"sha256:{'0' * 64}"

WORKLOADS = f"""\
# what runs in production; the ops team owns this file
apiVersion: apps/v1
kind: Deployment
metadata: {{name: api, labels: {{app: api, image: api}}}}
spec:
  template:
    spec:
      initContainers:
        - name: migrate
          image: "{OURS}/worker:1.4"   # before the rest
          command: ["echo", "image: {OURS}/api:1.4"]
        - image: busybox:1.36
          name: wait
      containers:
        - name: api
          image: {OURS}/api:1.4
          env:
            - name: IMAGE   # not an image: {OURS}/api:1.4
              value: {OURS}/api:1.4
        - {{name: proxy, image: 'PLACEHOLDER/web:latest', imagePullPolicy: Always}}
        - name: metrics
          image: quay.io/prometheus/node-exporter:v1.8.1
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: store
spec:
  template:
    spec:
      containers:
        - name: store
          image:   {OURS}/store:1.4@{OLD}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: notes
data:
  text: |
    image: {OURS}/api:1.4
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: sweep
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          containers:
          - image: >-
              {OURS}/worker:1.4
            name: sweep
"""

OPERATORS = f"""\
apiVersion: argoproj.example.com/v1alpha1
kind: Rollout   # as operators have them
metadata: {{name: web, annotations: {{image: {OURS}/web:1.4}}}}
spec:
  image: {OURS}/api:1.4     # of the agent
  agent: {{image: {{repository: {OURS}/api, tag: '1.4'}}}}
  template:
    spec:
      volumes:
      - name: weights
        image: {{reference: "{OURS}/store:1.4", pullPolicy: Always}}
      containers:
      - name: web
        image: {OURS}/web:1.4
"""

KUSTOMIZATION = f"""\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [base.yaml]
images:
  - name: api            # found by this name
    newName: {OURS}/api
    newTag: "1.4"        # the release
  - name: PLACEHOLDER/worker
  - newTag: 1.4.0
    digest: {OLD}
    name: upstream/store
    newName: {OURS}/store
  - {{name: web, newTag: "1.4"}}
  - name: redis
    newTag: 7.4.1
"""

BASE = """\
apiVersion: v1
kind: Pod
metadata: {name: api}
spec:
  containers:
    - name: api
      image: api
"""

VALUES = f"""\
# values of the chart
replicas: 2
image: &image
  repository: {OURS}/api
  tag: "1.4"
  pullPolicy: IfNotPresent

canary:
  image:
    <<: *image
    tag: "1.5"

worker:
  image:
    registry: registry.example.com
    repository: team/worker
    tag: 1.4        # moved by releases
    digest: ""
  sidecars:
    - image: {{repository: {OURS}/web, tag: "1.4"}}
    - image: *image
legacy:
  image: {OURS}/store
  imageTag: "1.4"
postgresql:
  image: {{repository: postgres, tag: "16"}}
"""

COMPOSE = f"""\
x-api: &api
  image: &reference {OURS}/api:1.4   # shared
  restart: always

services:
  api:
    <<: *api
  api-2:
    <<: *api
    ports: ["8001:8000"]
  migrate:
    image: *reference
  worker:
    image: ${{REGISTRY:-{OURS}}}/worker:${{TAG:-1.4}}
  web:
    build: ./web
    image: {OURS}/web:dev
  db:
    image: postgres:16
"""

FILES = {
    "deploy/workloads.yaml": WORKLOADS,
    "deploy/operators.yaml": OPERATORS,
    "deploy/kustomization.yaml": KUSTOMIZATION,
    "deploy/base.yaml": BASE,
    "chart/values-prod.yaml": VALUES,
    "compose.yaml": COMPOSE,
}
