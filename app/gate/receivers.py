"""The file of receivers: where notifications go, and which.

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

Where a Slack message goes is a secret by itself. So no URL is ever repeated, in errors neither.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError

from app.core.errors import FreezegateError
from app.core.notification import Notification, Occasion
from app.core.url import secure_url
from app.yaml.compose import read_document
from app.yaml.document import Document
from app.yaml.problem import Path as Keys
from app.yaml.problem import did_you_mean, format_path

SHORTEST_SECRET: Final = 24
"""Characters; what signs must not be guessed."""

_LONGEST_URL: Final = 2_000


class ReceiversFileError(FreezegateError):
    """The file of receivers can't be read; the text names the place in it."""


class Receiver(NamedTuple):
    """Where notifications go."""

    name: str
    kind: Literal["slack", "webhook"]
    url: SecretStr
    secret: SecretStr | None
    """What a webhook signs with."""
    events: frozenset[Occasion]
    environments: frozenset[str] | None
    """Only what matters there, or everywhere; None: all."""

    def wants(self, notification: Notification) -> bool:
        """Whether it is to be told."""
        if notification.event not in self.events:
            return False
        places = notification.environments
        return self.environments is None or not places or not self.environments.isdisjoint(places)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


_Text = Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST_URL)]


class _Entry(_Part):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    kind: Literal["slack", "webhook"]
    url: _Text | None = None
    url_file: _Text | None = None
    url_env: _Text | None = None
    secret: _Text | None = None
    secret_file: _Text | None = None
    events: list[Occasion] | None = Field(None, min_length=1)
    environments: list[_Text] | None = Field(None, min_length=1)


class _File(_Part):
    receivers: list[_Entry] = Field(min_length=1)


def read_receivers_file(path: Path, environment: Mapping[str, str]) -> list[Receiver]:
    """Read the file of receivers.

    Args:
        path: of the file; what it names is looked for beside it.
        environment: the variables that `url_env` may name.

    Raises:
        ReceiversFileError: it can't be read, or something in it is wrong.
    """
    try:
        document = read_document(str(path), path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ReceiversFileError(f"{path}: can't be read: {error}") from None
    if document.problems:
        raise ReceiversFileError("\n".join(map(str, document.problems)))
    try:
        entries = _File.model_validate(document.data).receivers
    except ValidationError as error:
        wrong = [_sentence(document, each) for each in error.errors(include_url=False)]
        raise ReceiversFileError("\n".join(wrong)) from None
    receivers = [_receiver(document, index, each, environment) for index, each in enumerate(entries)]
    names = [receiver.name for receiver in receivers]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise _wrong(document, ("receivers", index, "name"), "this name stands there twice")
    return receivers


def _receiver(document: Document, index: int, entry: _Entry, environment: Mapping[str, str]) -> Receiver:
    where: Keys = ("receivers", index)
    url = _only(document, where, entry, ("url", "url_file", "url_env"), environment)
    try:
        secure_url(url)
    except ValueError as error:
        raise _wrong(document, where, f"the URL {error}") from None
    return Receiver(
        entry.name,
        entry.kind,
        SecretStr(url),
        _secret(document, where, entry, environment),
        frozenset(Occasion if entry.events is None else entry.events),
        None if entry.environments is None else frozenset(entry.environments),
    )


def _secret(
    document: Document, where: Keys, entry: _Entry, environment: Mapping[str, str]
) -> SecretStr | None:
    if entry.kind == "slack":
        if entry.secret is not None or entry.secret_file is not None:
            raise _wrong(document, where, "Slack takes no secret: its URL is one")
        return None
    secret = _only(document, where, entry, ("secret", "secret_file"), environment)
    if len(secret) < SHORTEST_SECRET:
        raise _wrong(document, where, f"the secret has fewer than {SHORTEST_SECRET} characters")
    return SecretStr(secret)


def _only(
    document: Document, where: Keys, entry: _Entry, fields: tuple[str, ...], environment: Mapping[str, str]
) -> str:
    """The value of the one field of several that is given: itself, in a file, or in a variable."""
    given = [(field, value) for field in fields if (value := getattr(entry, field)) is not None]
    if len(given) != 1:
        count = "none is" if not given else "more than one is"
        raise _wrong(document, where, f"one of {', '.join(fields)} is needed; {count} there")
    field, value = given[0]
    if field.endswith("_env"):
        if value not in environment:
            raise _wrong(document, (*where, field), "no such variable is set")
        return environment[value].strip()
    if field.endswith("_file"):
        try:
            return (Path(document.name).parent / str(value)).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "no text"
            raise _wrong(document, (*where, field), f"the file can't be read: {why}") from None
    return str(value)


def _sentence(document: Document, detail: Any) -> str:
    """What pydantic found, without the value that it found it in."""
    keys: Keys = detail["loc"]
    last = str(keys[-1]) if keys else ""
    if detail["type"] == "extra_forbidden":
        known = _Entry.model_fields if len(keys) > 1 else _File.model_fields
        return str(document.problem_of_key(keys, f"unknown key{did_you_mean(last, known)}"))
    if detail["type"] == "enum":
        near = did_you_mean(str(detail["input"]), Occasion)
        return str(document.problem(keys, f"there is no such event{near}"))
    path = format_path(keys) or "the file"
    message = "is needed" if detail["type"] == "missing" else detail["msg"]
    return str(document.problem(keys, message if path == format_path(keys) else f"{path}: {message}"))


def _wrong(document: Document, keys: Keys, message: str) -> ReceiversFileError:
    return ReceiversFileError(str(document.problem(keys, message)))
