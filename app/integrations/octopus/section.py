"""The section `octopus` of the integrations file.

```yaml
octopus:
  url: https://octopus.example.com
  token_file: /run/secrets/octopus-api-key
  deployment_freezes:
    - {projects: [Projects-1], environments: [Environments-1], service: shop}
```
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from app.integrations.projection_section import (
    MOST_SCOPES,
    Address,
    Days,
    Owner,
    ScopeSection,
    days_field,
    owner_field,
)
from app.integrations.section import WithToken

ProjectId = Annotated[str, StringConstraints(pattern=r"^Projects-[0-9]{1,12}$"), Field(title="id")]
EnvironmentId = Annotated[str, StringConstraints(pattern=r"^Environments-[0-9]{1,12}$"), Field(title="id")]


class FreezeScope(ScopeSection):
    """The freezes that are projected to some projects, in some environments of Octopus."""

    projects: list[ProjectId] = Field(
        min_length=1,
        max_length=MOST_SCOPES,
        description="the ids of the projects; several need an Enterprise licence",
        examples=[["Projects-1"]],
    )
    environments: list[EnvironmentId] = Field(
        min_length=1,
        max_length=100,
        description="the ids of the environments of Octopus",
        examples=[["Environments-1"]],
    )


class Octopus(WithToken):
    """The projects whose deployment freezes are kept in step, and the server."""

    url: Address = Field(description="the address of Octopus", examples=["https://octopus.example.com"])
    owner: Owner = owner_field()
    days: Days = days_field()
    deployment_freezes: list[FreezeScope] = Field(
        min_length=1, max_length=MOST_SCOPES, description="the projects that are kept in step"
    )
