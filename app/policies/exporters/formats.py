"""The formats of `freezegate export`, by the word on the command line."""

from collections.abc import Callable, Mapping
from typing import Final

from app.policies.exporters.argocd import argocd
from app.policies.exporters.export import Exported, ExportOptions
from app.policies.exporters.gitlab import gitlab
from app.policies.exporters.ics import ics
from app.policies.exporters.json import json
from app.policies.loaded import LoadedPolicies

FORMATS: Final[Mapping[str, Callable[[LoadedPolicies, ExportOptions], Exported]]] = {
    "argocd": argocd,
    "gitlab": gitlab,
    "ics": ics,
    "json": json,
}
