"""The sections of the integrations file, and the secrets in them.

A secret NAME is written as ``NAME``, or as ``NAME_file`` or ``NAME_env``, which name a file or a variable. A
file or a variable may hold several, one a line: all of them are accepted, and the first one is used for what
is sent, so that a secret can be changed without a gap.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, StringConstraints

from app.core.errors import Fault, FaultyValuesError, MalformedValueError
from app.integrations.signatures import weakness

MOST_SECRETS: Final = 10
"""Lines of a file of secrets; a rotation needs two."""

_ENDINGS: Final = ("", "_file", "_env")

Text = Annotated[str, StringConstraints(min_length=1, max_length=2_000), Field(title="text")]

Secrets = tuple[SecretStr, ...]

Resolved = TypeVar("Resolved")


class Section(BaseModel):
    """The base of all sections, and of the parts in them."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, strict=True)

    secret_names: ClassVar[tuple[str, ...]] = ()
    """The names of its secrets; each is required, in one of the three forms."""
    optional_secrets: ClassVar[tuple[str, ...]] = ()
    """The names of the secrets that may be left out."""

    _resolved: dict[str, Secrets] = PrivateAttr(default_factory=dict)
    _files: dict[str, Path] = PrivateAttr(default_factory=dict)

    def secrets(self, name: str) -> Secrets:
        """Return the secrets of a name, newest first; none if it may be left out and is."""
        return self._resolved.get(name, ())

    def check_secrets(self) -> None:
        """Check the secrets, which have been read by now; what is found stops the start.

        A vendor's section may have a check of its own.

        Raises:
            FaultyValuesError: something is wrong; the paths of the faults start at the section.
        """

    def named_environments(self) -> frozenset[str]:
        """Return the environments of the policies that it and its parts name; one unknown is warned of."""
        own = getattr(self, "environment", None)
        parts = (part.named_environments() for _, part in _parts(self))
        return frozenset([] if own is None else [own]).union(*parts)

    def secret_field(self, name: str) -> str:
        """Return the field that a secret is given in, such as ``token_file``."""
        return next(field for field in _forms(name) if getattr(self, field, None) is not None)

    def newest(self, name: str) -> SecretStr:
        """Return the newest secret of a required name, read anew from its file.

        Kubernetes replaces the token of a service account every hour. While the file can't be read, the
        secret is the one that was read last.
        """
        file = self._files.get(name)
        if file is not None:
            with contextlib.suppress(MalformedValueError):
                self._resolved[name] = _lines(f"{name}_file", str(file), Path(), {})
        return self._resolved[name][0]


class WithSecret(Section):
    """A section with the secret that a vendor signs its requests with."""

    secret_names: ClassVar[tuple[str, ...]] = ("secret",)
    shortest_secret: ClassVar[int] = 16
    """Characters; some vendors make the secret, and none makes a shorter one."""

    secret: Text | None = Field(
        None,
        description="the secret of its webhooks; exactly one of `secret`, `secret_file` and `secret_env` is "
        "required",
        examples=["whsec_…"],
    )
    secret_file: Text | None = Field(
        None,
        description="a file that holds the secret, or several, one a line, of which any is accepted; a "
        "relative path starts at the folder of this file",
        examples=["/run/secrets/webhook-secret"],
    )
    secret_env: Text | None = Field(
        None,
        description="a variable that holds the secret; not one that begins with `FREEZEGATE_`",
        examples=["WEBHOOK_SECRET"],
    )

    def check_secrets(self) -> None:
        """Check that the secret can't be guessed; see `Section.check_secrets`."""
        reasons = (weakness(each, self.shortest_secret) for each in self.secrets("secret"))
        faults = [Fault((self.secret_field("secret"),), why) for why in reasons if why is not None]
        if faults:
            raise FaultyValuesError(faults[:1])


class WithToken(Section):
    """A section with the token that the gate authenticates itself by."""

    secret_names: ClassVar[tuple[str, ...]] = ("token",)

    token: Text | None = Field(
        None,
        description="the token of its API; exactly one of `token`, `token_file` and `token_env` is required",
        examples=["glpat-…"],
    )
    token_file: Text | None = Field(
        None,
        description="a file that holds the token; a relative path starts at the folder of this file",
        examples=["/run/secrets/token"],
    )
    token_env: Text | None = Field(
        None,
        description="a variable that holds the token; not one that begins with `FREEZEGATE_`",
        examples=["GITLAB_TOKEN"],
    )


def _forms(name: str) -> tuple[str, ...]:
    return tuple(f"{name}{end}" for end in _ENDINGS)


def resolve_secrets(section: Section, folder: Path, environment: Mapping[str, str]) -> None:
    """Read the secrets of a section, and of the parts in it, from their files and variables.

    Raises:
        MalformedValueError: one is missing, is given twice, or can't be read; the text begins with its name
            and repeats no value.
    """
    for name in (*section.secret_names, *section.optional_secrets):
        given = [(field, getattr(section, field, None)) for field in _forms(name)]
        found = [(field, value) for field, value in given if value is not None]
        if not found and name in section.optional_secrets:
            continue
        if len(found) != 1:
            count = "none is" if not found else "more than one is"
            forms = ", ".join(field for field, _ in given)
            raise MalformedValueError(f"{name}: one of {forms} is needed; {count} there")
        section._resolved[name] = _lines(*found[0], folder, environment)  # noqa: SLF001 - its own module
        if found[0][0].endswith("_file"):
            section._files[name] = folder / found[0][1]  # noqa: SLF001 - its own module
    for _, part in _parts(section):
        resolve_secrets(part, folder, environment)


def check_section(section: Section) -> None:
    """Check a section whose secrets are read, and the parts in it; see `Section.check_secrets`.

    Raises:
        FaultyValuesError: something is wrong.
    """
    section.check_secrets()
    for path, part in _parts(section):
        try:
            check_section(part)
        except FaultyValuesError as error:
            raise error.within(path) from None


def _parts(section: Section) -> Iterator[tuple[tuple[str | int, ...], Section]]:
    """Yield the parts of a section, each with its path."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Section):
            yield (name,), value
        elif isinstance(value, list):
            yield from (((name, at), each) for at, each in enumerate(value) if isinstance(each, Section))


def _lines(field: str, value: str, folder: Path, environment: Mapping[str, str]) -> Secrets:
    text = value
    if field.endswith("_env"):
        if value.startswith("FREEZEGATE_") or value not in environment:
            raise MalformedValueError(f"{field}: no such variable is set")
        text = environment[value]
    elif field.endswith("_file"):
        try:
            text = (folder / value).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "no text"
            raise MalformedValueError(f"{field}: the file can't be read: {why}") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if text.lstrip().startswith("-----BEGIN"):
        lines = [text.strip()]  # a key in PEM form is one secret of many lines
    if not 1 <= len(lines) <= MOST_SECRETS:
        raise MalformedValueError(f"{field}: holds {len(lines)} secrets, instead of 1 to {MOST_SECRETS}")
    return tuple(map(SecretStr, lines))
