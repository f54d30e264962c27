"""The section `anchors` of the integrations file.

```yaml
anchors:
  every: 1h
  file: /mnt/worm/anchors.ndjson
  key_file: /run/secrets/anchor.pem
```
"""

from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from app.core.errors import Fault, FaultyValuesError, MalformedValueError
from app.core.field_types import Duration
from app.core.instant import DAY, HOUR, MINUTE
from app.identity.anchor_key import private_key
from app.integrations.destination import WithDestination
from app.integrations.section import Text

_LONGEST: Final = 31 * DAY


def _bounded(seconds: int) -> int:
    if not MINUTE <= seconds <= _LONGEST:
        raise MalformedValueError("must be between a minute and 31 days")
    return seconds


class Anchors(WithDestination):
    """The place that checkpoints of the record are sent to, and the key that signs them."""

    optional_secrets: ClassVar[tuple[str, ...]] = ("token", "key")

    every: Annotated[Duration, AfterValidator(_bounded)] = Field(
        HOUR,
        description="the time between two anchors: from a minute to 31 days",
        examples=["1h"],
        json_schema_extra={"default": "1h"},
    )
    key: Text | None = Field(
        None,
        description="a private key of Ed25519 in PEM form, which signs the anchors; or `key_file`, or "
        "`key_env`; they are not signed if left out",
        examples=["-----BEGIN PRIVATE KEY-----…"],
    )
    key_file: Text | None = Field(
        None,
        description="a file that holds the key; a relative path starts at the folder of this file",
        examples=["/run/secrets/anchor.pem"],
    )
    key_env: Text | None = Field(
        None,
        description="a variable that holds the key; not one that begins with `FREEZEGATE_`",
        examples=["ANCHOR_KEY"],
    )

    def check_secrets(self) -> None:
        """Check that the key signs; see `Section.check_secrets`."""
        for each in self.secrets("key"):
            try:
                private_key(each.get_secret_value())
            except MalformedValueError as error:
                raise FaultyValuesError([Fault((self.secret_field("key"),), str(error))]) from None
