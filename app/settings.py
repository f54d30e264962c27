"""The environment, read once. Every variable begins with ``FREEZEGATE_``; the README lists them.

Read by hand rather than with pydantic-settings: that ignores unknown variables, and a misspelt
setting of a gate must not pass for none.
"""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

PREFIX: Final = "FREEZEGATE_"

CLIENT_VARIABLES: Final = frozenset({"URL", "API_KEY", "OVERRIDE_TOKEN"})
"""Read by the command line as a client; they may stand in the same environment."""

# Kubernetes adds these for a Service that is called freezegate.
_SERVICE_LINK = re.compile(r"(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP))(_\w+)?|PORT")


class SettingsError(Exception):
    """The environment does not make sense; the text says which variable and why."""


class Settings(BaseModel):
    """What can be set, and what it is when it is not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policies: Path = Field(
        default=Path("policies.yaml"), description="the policy file, or a directory of them"
    )
    database_url: SecretStr | None = Field(
        default=None, description="where decisions are recorded; a SQLite file beside the policies if not set"
    )
    host: str = Field(default="127.0.0.1", description="the address to listen on")
    port: int = Field(default=1400, ge=0, le=65_535, description="the port to listen on; 0 takes a free one")
    anonymous_role: Literal["ci", "viewer", "none"] = Field(
        default="ci", description="what callers without credentials may do: claim, only look, or nothing"
    )
    anonymous_claims: str = Field(
        default="600/minute",
        pattern=r"^[1-9]\d{0,8}/(second|minute|hour)$",
        description="how many claims without credentials are taken from one address",
    )
    admin_key: SecretStr | None = Field(
        default=None, description="an API key for the first admin, taken when no key exists yet"
    )
    identity: Path | None = Field(
        default=None, description="a YAML file with the OIDC issuers whose identity tokens are taken"
    )
    notifications: Path | None = Field(
        default=None, description="a YAML file with the receivers of notifications"
    )
    ca_file: Path | None = Field(
        default=None, description="certificates (PEM) to trust in outgoing calls, besides the usual ones"
    )
    trusted_proxies: str | None = Field(
        default=None, description="addresses or networks of proxies whose `X-Forwarded-For` is believed"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="what is written to the log: this and everything more serious"
    )

    @property
    def database(self) -> str:
        """The database URL, its default worked out."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        folder = self.policies if self.policies.is_dir() else self.policies.parent
        return f"sqlite:///{folder / 'freezegate.db'}"


def read_settings(environment: Mapping[str, str], **given: object) -> Settings:
    """Read the settings; `given` ones, from the command line, go before the environment.

    A secret may also come from a file named by the same variable with ``_FILE`` behind it.

    Raises:
        SettingsError: a variable is unknown, malformed, given twice, or names a file that can't be read.
    """
    values: dict[str, object] = {}
    for variable, value in environment.items():
        if variable.startswith(PREFIX) and variable not in _ignored(environment):
            field, value = _resolve(variable, value)  # noqa: PLW2901 - the file's content stands for it
            if field in values:
                raise SettingsError(f"{PREFIX}{field.upper()} is given twice, as itself and as a file")
            values[field] = value
    values.update({name: value for name, value in given.items() if value is not None})
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise SettingsError(f"{PREFIX}{str(first['loc'][0]).upper()}: {first['msg']}") from None


def _ignored(environment: Mapping[str, str]) -> set[str]:
    names = {f"{PREFIX}{name}" for name in CLIENT_VARIABLES}
    if f"{PREFIX}SERVICE_HOST" in environment:
        names |= {
            name
            for name, value in environment.items()
            if _SERVICE_LINK.fullmatch(name.removeprefix(PREFIX))
            and (name != f"{PREFIX}PORT" or value.startswith("tcp://"))
        }
    return names


def _resolve(variable: str, value: str) -> tuple[str, str]:
    """The field that a variable sets, and to what."""
    field = variable.removeprefix(PREFIX).lower()
    if field in Settings.model_fields:
        return field, value
    secret = field.removesuffix("_file")
    if secret != field and _is_secret(secret):
        try:
            return secret, Path(value).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{variable}: the file {value} can't be read: {error}") from None
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    close = difflib.get_close_matches(variable, known, 1)
    raise SettingsError(f"{variable} is no setting" + (f"; did you mean {close[0]}?" if close else ""))


def _is_secret(field: str) -> bool:
    return field in Settings.model_fields and "SecretStr" in str(Settings.model_fields[field].annotation)
