"""The formats that can be imported. Each is one file here, loaded only when it is used."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Final

from app.policies.importers.imported import Imported, ImportOptions, SourceText

FORMATS: Final[Mapping[str, str]] = {
    "argocd": "sync windows of Argo CD",
    "aws": "change calendars of AWS Systems Manager, deployment windows of AWS CodePipeline",
    "gitlab": "deploy freezes of GitLab",
    "google": "deploy policies of Google Cloud Deploy",
    "ics": "iCalendar files (RFC 5545)",
    "kargo": "promotion windows of Kargo",
    "octopus": "deployment freezes of Octopus Deploy",
    "prometheus": "time intervals of Prometheus Alertmanager",
}
"""The formats, each with what is read from it. `app.policies.importers.FORMAT.read` reads it."""


def read_format(name: str, sources: Sequence[SourceText], options: ImportOptions) -> Imported:
    """Read files of a format; nothing is raised for what they hold, see `Imported.refused`."""
    imported: Imported = importlib.import_module(f"app.policies.importers.{name}").read(sources, options)
    return imported
