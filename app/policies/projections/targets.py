"""The targets of ``freezegate project``, by the word on the command line."""

from collections.abc import Mapping
from typing import Final

from app.policies.projections.argocd import ARGOCD
from app.policies.projections.gitlab import GITLAB
from app.policies.projections.kubernetes import KUBERNETES
from app.policies.projections.octopus import OCTOPUS
from app.policies.projections.projection import ProjectionTarget

TARGETS: Final[Mapping[str, ProjectionTarget]] = {
    "argocd": ARGOCD,
    "gitlab": GITLAB,
    "kubernetes": KUBERNETES,
    "octopus": OCTOPUS,
}
