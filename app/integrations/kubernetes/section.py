"""The section `kubernetes` of the integrations file: the meaning of namespaces and labels.

```yaml
kubernetes:
  environments:
    shop: production
    shop-*: staging
  service_label: app.kubernetes.io/name
  project:
    token_file: /var/run/secrets/kubernetes.io/serviceaccount/token
    config_maps:
      - environment: production
```
"""

from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from app.core.errors import MalformedValueError
from app.core.policy import NAME_PATTERN, glob_pattern
from app.integrations.projection_section import (
    MOST_SCOPES,
    Address,
    Days,
    ScopeSection,
    days_field,
)
from app.integrations.section import Section, WithToken

SERVICE_LABEL: Final = "app.kubernetes.io/name"
"""The label that Kubernetes recommends for the name of an application."""

MOST_NAMESPACES: Final = 1_000
"""Entries of the table; each review may pass all of them."""

Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9*-]{1,63}$"), Field(title="namespace")]
Environment = Annotated[str, StringConstraints(pattern=rf"^{NAME_PATTERN}$"), Field(title="name")]
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]{1,316}$"), Field(title="label")]


ObjectName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"), Field(title="name")
]


class ConfigMapScope(ScopeSection):
    """A ConfigMap that is kept in step."""

    name: ObjectName | None = Field(
        None,
        description="the name of the ConfigMap; if left out, `freezegate-` and the environment, with the "
        "service if there is one",
        examples=["freezegate-production"],
    )


class Project(WithToken):
    """The ConfigMaps that policies in the cluster read."""

    url: Address = Field(
        "https://kubernetes.default.svc",
        description="the API of the cluster",
        examples=["https://cluster.example.com:6443"],
    )
    namespace: ObjectName = Field(
        "freezegate", description="the namespace of the ConfigMaps", examples=["freezegate"]
    )
    days: Days = days_field()
    config_maps: list[ConfigMapScope] = Field(
        min_length=1, max_length=MOST_SCOPES, description="the ConfigMaps that are kept in step"
    )


def _not_empty(table: dict[str, str]) -> dict[str, str]:
    if not table:
        raise MalformedValueError("names no namespace; leave it out if all of them are one environment")
    return table


class Kubernetes(Section):
    """The section of Kubernetes."""

    environments: Annotated[dict[Namespace, Environment], AfterValidator(_not_empty)] | None = Field(
        None,
        max_length=MOST_NAMESPACES,
        description="the environment of each namespace; `*` stands for any characters, names without it win, "
        "then the first that fits. A deploy to any other namespace is denied. Without the table, every "
        "namespace is `production`",
        examples=[{"shop": "production", "shop-*": "staging"}],
    )
    service_label: Label = Field(
        SERVICE_LABEL,
        description="the label that names the service of an object that has no annotation "
        "`freezegate.dev/service`; the object's own name, if it has neither",
        examples=["app"],
    )

    project: Project | None = Field(
        None, description="the ConfigMaps that are kept in step; none if left out"
    )

    def named_environments(self) -> frozenset[str]:
        """Return the environments; without a table, reviews ask for `production`."""
        table = self.environments
        usual = ("production",) if self.project is None else ()
        return super().named_environments().union(usual if table is None else table.values())

    def environment_of(self, namespace: str) -> str:
        """Return the environment of a namespace.

        Raises:
            MalformedValueError: the table has no entry for it.
        """
        table = self.environments
        if table is None:
            return "production"
        if namespace in table:
            return table[namespace]
        for glob, environment in table.items():
            if "*" in glob and glob_pattern((glob,)).fullmatch(namespace):
                return environment
        raise MalformedValueError(
            "no entry of kubernetes.environments in freezegate's integrations file fits this namespace"
        )
