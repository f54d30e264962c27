"""The section `siem` of the integrations file.

```yaml
siem:
  url: https://siem.example.com/ingest
  token_file: /run/secrets/siem-token
  format: ocsf
```
"""

from typing import Literal

from pydantic import Field

from app.integrations.destination import WithDestination


class Siem(WithDestination):
    """The SIEM that every event of the record is pushed to, in order, each at least once."""

    format: Literal["json", "ocsf"] = Field(
        "json",
        description="`json`: each event as `GET /audit` shows it; `ocsf`: as a Base Event of OCSF 1.3.0",
        examples=["ocsf"],
    )
    since: Literal["now", "beginning"] = Field(
        "now",
        description="the first event that is pushed, when the gate first starts with this section",
        examples=["beginning"],
    )
