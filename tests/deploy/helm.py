"""Helm's own library, to render the chart in deploy/helm.

It runs in a process of its own: the library brings the runtime of Go along, with threads and signal handlers.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "freezegate"


class RefusedValuesError(Exception):
    """Helm did not render the chart with these values."""


class Helm:
    """A running Helm; `render` and `lint` send it one line and read one."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def render(self, values: dict[str, Any], release: str = "gate") -> dict[str, str]:
        """Return what `helm template` makes of each template, by its file name.

        Raises:
            RefusedValuesError: the schema or a template refused the values.
        """
        rendered: dict[str, str] = self._ask({"values": values, "release": release})
        return {Path(name).name: text for name, text in rendered.items()}

    def lint(self, values: dict[str, Any]) -> list[str]:
        """Return the warnings and errors of `helm lint --strict`."""
        found: list[str] = self._ask({"lint": values})
        return found

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "refused" in answer:
            raise RefusedValuesError(answer["refused"])
        return answer["result"]


@contextmanager
def running_helm() -> Iterator[Helm]:
    """Start Helm, and end it."""
    if importlib.util.find_spec("helm_python") is None:
        pytest.skip("NOT TRIED: the Helm chart; Helm's library has no wheel for this machine")
    command = [sys.executable, __file__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield Helm(process)
        assert process.stdin is not None
        process.stdin.close()


def _answer(chart: Any, question: dict[str, Any]) -> Any:
    from helm_python.chart import lint

    if "lint" in question:
        report = lint(CHART, question["lint"], strict=True)
        return [each["error"] for each in report["messages"] if each["severity"] > 1]
    return chart.render(question["values"], name=question["release"], namespace="ops")


def _serve() -> None:
    from helm_python.chart import Chart
    from helm_python.errors import HelmError

    with Chart.load(CHART) as chart:
        for line in sys.stdin:
            try:
                answer = {"result": _answer(chart, json.loads(line))}
            except HelmError as error:
                answer = {"refused": str(error)}
            print(json.dumps(answer), flush=True)  # noqa: T201 - the protocol


if __name__ == "__main__":
    _serve()
