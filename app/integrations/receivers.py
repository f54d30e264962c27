"""Read the file of receivers: where notifications go, and which ones.

```yaml
receivers:
  - name: ops
    kind: slack
    url_file: /run/secrets/slack-url
    events: [freeze-started, freeze-lifted, gate-open]
    environments: [production]
  - name: audit
    kind: webhook
    url: https://hooks.example.com/freezegate
    secret_file: /run/secrets/webhook-secret
```

The URL of a Slack webhook is a secret, so no error repeats a URL.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints
from pydantic_core import PydanticKnownError

from app.core.notification import Notification, Occasion
from app.core.policy import ID_PATTERN
from app.core.url import secure_url
from app.integrations.signatures import weakness
from app.integrations.vendor import Notifier
from app.integrations.vendors import notifiers
from app.yaml.document import Document
from app.yaml.file import read_file
from app.yaml.problem import Path as Keys
from app.yaml.problem import YamlFileError

_LONGEST_URL: Final = 2_000


class ReceiversFileError(YamlFileError):
    """An invalid receivers file; the text names every wrong place in it."""


class Receiver(NamedTuple):
    """A destination of notifications."""

    name: str
    notifier: Notifier
    url: SecretStr
    secret: SecretStr | None
    """The secret that messages are signed with; None where the vendor takes none."""
    events: frozenset[Occasion]
    environments: frozenset[str] | None
    """The environments to report on; None: all. Events of no environment are always reported."""

    def wants(self, notification: Notification) -> bool:
        """Return whether a notification is to be sent to this receiver."""
        if notification.event not in self.events:
            return False
        places = notification.environments
        return self.environments is None or not places or not self.environments.isdisjoint(places)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _known_kind(kind: object) -> object:
    known = notifiers()
    if isinstance(kind, str) and kind in known:
        return kind
    raise PydanticKnownError("literal_error", {"expected": ", ".join(map(repr, known))})


_Text = Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST_URL)]


class _Entry(_Part):
    name: Annotated[str, StringConstraints(pattern=rf"^{ID_PATTERN}$"), Field(title="id")] = Field(
        description="a unique name; queued notifications are kept under it", examples=["ops"]
    )
    kind: Annotated[str, BeforeValidator(_known_kind)] = Field(
        description="what receives the notifications", examples=["slack"]
    )
    url: _Text | None = Field(
        None,
        description="where they are sent: `https`, or `http` to this machine; exactly one of `url`, "
        "`url_file` and `url_env` is required",
        examples=["https://hooks.example.com/freezegate"],
    )
    url_file: _Text | None = Field(
        None,
        description="a file that holds the URL; a relative path starts at the folder of this file",
        examples=["/run/secrets/slack-url"],
    )
    url_env: _Text | None = Field(
        None,
        description="a variable that holds the URL; not one that begins with `FREEZEGATE_`",
        examples=["SLACK_URL"],
    )
    secret: _Text | None = Field(
        None,
        description="the secret that messages are signed with, at least 24 characters; `whsec_` and base64 "
        "for bytes; `webhook` requires this or `secret_file`, `slack` allows neither",
        examples=["whsec_…"],
    )
    secret_file: _Text | None = Field(
        None,
        description="a file that holds the secret; a relative path starts at the folder of this file",
        examples=["/run/secrets/webhook-secret"],
    )
    events: list[Occasion] | None = Field(
        None,
        min_length=1,
        description="the events to send; all if left out",
        examples=[["freeze-started", "gate-open"]],
    )
    environments: list[_Text] | None = Field(
        None,
        min_length=1,
        description="only events about these environments, and those about all; all if left out",
        examples=[["production"]],
    )


class _File(_Part):
    receivers: list[_Entry] = Field(min_length=1, description="where notifications are sent")


def read_receivers_file(path: Path, environment: Mapping[str, str]) -> list[Receiver]:
    """Read the file of receivers.

    Args:
        path: of the file; relative names of files in it are resolved beside it.
        environment: the variables that `url_env` may name.

    Raises:
        ReceiversFileError: it can't be read, or something in it is wrong.
    """
    content, document = read_file(path, _File, ReceiversFileError, private=True)
    receivers = [_receiver(document, *each, environment) for each in enumerate(content.receivers)]
    names = [receiver.name for receiver in receivers]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise _wrong(document, ("receivers", index, "name"), "this name stands there twice")
    return receivers


def _receiver(document: Document, index: int, entry: _Entry, environment: Mapping[str, str]) -> Receiver:
    where: Keys = ("receivers", index)
    notifier = notifiers()[entry.kind]
    url = _only(document, where, entry, ("url", "url_file", "url_env"), environment)
    try:
        secure_url(url)
    except ValueError as error:
        raise _wrong(document, where, f"the URL {error}") from None
    return Receiver(
        entry.name,
        notifier,
        SecretStr(url),
        _secret(document, where, entry, notifier, environment),
        frozenset(Occasion if entry.events is None else entry.events),
        None if entry.environments is None else frozenset(entry.environments),
    )


def _secret(
    document: Document, where: Keys, entry: _Entry, notifier: Notifier, environment: Mapping[str, str]
) -> SecretStr | None:
    if not notifier.needs_secret:
        if entry.secret is not None or entry.secret_file is not None:
            message = (
                f"a receiver of kind {entry.kind} takes no secret; its URL is one, so keep that in a file"
            )
            raise _wrong(document, where, message)
        return None
    secret = _only(document, where, entry, ("secret", "secret_file"), environment)
    why = weakness(SecretStr(secret))
    if why is not None:
        raise _wrong(document, where, why)
    return SecretStr(secret)


def _only(
    document: Document, where: Keys, entry: _Entry, fields: tuple[str, ...], environment: Mapping[str, str]
) -> str:
    """Return the value of the only one of some fields that is given, or of its file or variable."""
    given = [(field, value) for field in fields if (value := getattr(entry, field)) is not None]
    if len(given) != 1:
        count = "none is" if not given else "more than one is"
        raise _wrong(document, where, f"one of {', '.join(fields)} is needed; {count} there")
    field, value = given[0]
    return _resolve(document, (*where, field), str(value), environment)


def _resolve(document: Document, where: Keys, value: str, environment: Mapping[str, str]) -> str:
    """Return the value of a field, which is in the variable or file that it names, or the field's own."""
    field = str(where[-1])
    if field.endswith("_env"):
        if value not in environment:
            raise _wrong(document, where, "no such variable is set")
        return environment[value].strip()
    if field.endswith("_file"):
        try:
            return (Path(document.name).parent / value).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "no text"
            raise _wrong(document, where, f"the file can't be read: {why}") from None
    return value


def _wrong(document: Document, keys: Keys, message: str) -> ReceiversFileError:
    return ReceiversFileError([document.problem(keys, message)])
