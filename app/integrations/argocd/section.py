"""The section `argocd` of the integrations file.

```yaml
argocd:
  token_file: /var/run/secrets/kubernetes.io/serviceaccount/token
  sync_windows:
    - {project: shop, service: checkout, applications: [checkout-*]}
```
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from app.integrations.projection_section import (
    MOST_SCOPES,
    Address,
    Days,
    Owner,
    Pattern,
    ScopeSection,
    days_field,
    owner_field,
)
from app.integrations.section import WithToken

ObjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,252}$"), Field(title="name")]


class SyncWindowScope(ScopeSection):
    """The freezes that are projected to one AppProject."""

    project: ObjectName = Field(description="the name of the AppProject", examples=["shop"])
    applications: list[Pattern] = Field(
        default_factory=list,
        max_length=100,
        description="the applications that the windows are about; all, if neither these nor `namespaces` nor "
        "`clusters` are given. All that are given must match",
        examples=[["checkout-*"]],
    )
    namespaces: list[Pattern] = Field(
        default_factory=list,
        max_length=100,
        description="the namespaces that the windows are about",
        examples=[["shop"]],
    )
    clusters: list[Pattern] = Field(
        default_factory=list,
        max_length=100,
        description="the clusters that the windows are about, by name or URL",
        examples=[["live"]],
    )


class ArgoCD(WithToken):
    """The AppProjects whose sync windows are kept in step, and the API of the cluster."""

    url: Address = Field(
        "https://kubernetes.default.svc",
        description="the API of the Kubernetes cluster that Argo CD runs in",
        examples=["https://cluster.example.com:6443"],
    )
    namespace: ObjectName = Field("argocd", description="the namespace of Argo CD", examples=["gitops"])
    owner: Owner = owner_field()
    days: Days = days_field()
    sync_overrun: bool = Field(
        False,
        description="whether running syncs may finish if a policy says `running: finish`; from Argo CD 3.5",
        examples=[True],
    )
    sync_windows: list[SyncWindowScope] = Field(
        min_length=1, max_length=MOST_SCOPES, description="the projects that are kept in step"
    )
