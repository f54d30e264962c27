#!/usr/bin/env bash
# In the values of a Helm chart, Norway is false.
#
# Helm 4 still reads values by the rules of YAML 1.1: `NO`, `on` and `y` are booleans, and 010 is eight. A value that a
# template prints again comes out as `country: false`. Times such as 14:00 stay text, so most of a file looks right.
# Source: helm-python-sdk 0.2.2 (PyPI), which carries Helm 4.2.3, run here in November 2026; YAML 1.2.2, 10.3.2.
# Why it matters to a freeze: policies that are copied into a values file as YAML reach the gate changed. In
# deploy/helm/freezegate/values.schema.json, `policies.inline` is a text and nothing else, given by --set-file.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder"
python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check helm-python-sdk==0.2.2 2>/dev/null
mkdir -p chart/templates
printf 'apiVersion: v2\nname: chart\nversion: 1.0.0\n' > chart/Chart.yaml
echo '{{ toYaml .Values.holidays }}' > chart/templates/out.yaml
printf 'holidays:\n  country: NO\n  eve_from: 14:00\n  bridge_days: y\n' > values.yaml
env/bin/python - <<'PYTHON'
import sys
from pathlib import Path

from helm_python.chart import Chart, values_from_yaml

with Chart.load("chart") as chart:
    (text,) = chart.render(values_from_yaml(Path("values.yaml").read_text())).values()
seen = sorted(text.strip().split("\n"))
print("most expect: country: NO, as it is written")
print(f"seen:        {seen}")
sys.exit(seen != ["bridge_days: true", "country: false", 'eve_from: "14:00"'])
PYTHON
