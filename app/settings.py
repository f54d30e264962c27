"""The environment, read once. Every variable begins with ``FREEZEGATE_``; the README lists them.

Read by hand rather than with pydantic-settings: that ignores unknown variables, and a misspelt
setting of a gate must not pass for none.
"""

import difflib
import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

PREFIX: Final = "FREEZEGATE_"

LEAST_DAYS: Final = 90
"""Days that decisions are kept at least: sessions and holds are over and forgotten by then."""

NO_ARCHIVE: Final = "none"
"""In the place of a folder: prune without an archive."""

_SEVERAL: Final = frozenset({"secret_key"})
"""The secrets whose file may hold several, one a line, so that one can be changed without a gap."""

CLIENT_VARIABLES: Final = frozenset({"URL", "API_KEY", "OVERRIDE_TOKEN"})
"""Read by the command line as a client; they may stand in the same environment."""

# Kubernetes adds these for a Service that is called freezegate.
_SERVICE_LINK = re.compile(r"(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP))(_\w+)?|PORT")


class SettingsError(Exception):
    """An invalid environment; the text names the variable and the reason."""


def _check_networks(text: str) -> str:
    """Return a list of addresses and networks, joined by commas, or ``*``.

    Raises:
        ValueError: an entry matches no address; its proxy would be left out silently.
    """
    for entry in [] if text.strip() == "*" else text.split(","):
        try:
            ipaddress.ip_network(entry.strip())
        except ValueError:
            raise ValueError(_no_network(entry.strip())) from None
    return text


def _check_listed_networks(text: str) -> str:
    """Return a list of addresses and networks, joined by commas; ``*`` is none.

    Raises:
        ValueError: an entry is no network.
    """
    if "*" in text:
        raise ValueError('"*" is no network; write those that calendars are in, such as 10.0.0.0/8')
    return _check_networks(text)


def _check_kept(text: str) -> str:
    """Return a number of days; a text that is none is left to the pattern.

    Raises:
        ValueError: they are too few.
    """
    days = text.removesuffix("d")
    if days.isdecimal() and int(days) < LEAST_DAYS:
        raise ValueError(f"must be {LEAST_DAYS}d at least, not {text!r}")
    return text


def _no_network(entry: str) -> str:
    if entry == "*":
        return '"*" believes everybody, so it stands alone'
    try:
        return f'"{entry}" has bits behind its prefix; write {ipaddress.ip_network(entry, strict=False)}'
    except ValueError:
        shown = f'"{entry[:60]}"' if entry.isprintable() else "an entry"
        return f"{shown} is neither an address nor a network such as 10.0.0.0/8; names are not looked up"


class Settings(BaseModel):
    """The settings of the server, with their defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policies: Path = Field(
        default=Path("policies.yaml"),
        title="path",
        description="the policy file, or a folder of them",
        examples=["/etc/freezegate/policies"],
    )
    database_url: SecretStr | None = Field(
        default=None,
        title="database URL",
        description="where decisions are recorded: SQLite, or PostgreSQL for several replicas; a SQLite file "
        "`freezegate.db` beside the policies if left out",
        examples=["postgresql://freezegate@db.example.com/freezegate"],
    )
    data: Path | None = Field(
        default=None,
        title="path",
        description="the folder of that SQLite file and of fetched calendars, if not beside the policies",
        examples=["/var/lib/freezegate"],
    )
    host: str = Field(
        default="127.0.0.1", title="address", description="the address to listen on", examples=["10.0.0.5"]
    )
    port: int = Field(
        default=1400,
        ge=0,
        le=65_535,
        description="the port to listen on; 0 takes a free one",
        examples=[8080],
    )
    anonymous_role: Literal["ci", "viewer", "none"] = Field(
        default="ci",
        description="what callers without credentials may do: claim (`ci`), only look (`viewer`), or "
        "nothing (`none`)",
        examples=["viewer"],
    )
    anonymous_claims: str = Field(
        default="600/minute",
        title="rate",
        pattern=r"^[1-9]\d{0,8}/(second|minute|hour)$",
        examples=["600/minute", "10/second"],
        description="the claims without credentials that are accepted from one address, per `second`, "
        "`minute` or `hour`",
    )
    admin_key: SecretStr | None = Field(
        default=None,
        title="API key",
        description="an API key for the first admin; used only while no key exists",
        examples=["fzk_…"],
    )
    identity: Path | None = Field(
        default=None,
        title="path",
        description="the identity file: the OIDC issuers whose tokens are accepted; none if left out",
        examples=["/etc/freezegate/identity.yaml"],
    )
    notifications: Path | None = Field(
        default=None,
        title="path",
        description="the receivers file: where notifications are sent; nowhere if left out",
        examples=["/etc/freezegate/receivers.yaml"],
    )
    integrations: Path | None = Field(
        default=None,
        title="path",
        description="the integrations file: systems that ask the gate in their own words, and how they are "
        "answered; none if left out",
        examples=["/etc/freezegate/integrations.yaml"],
    )
    secret_key: SecretStr | None = Field(
        default=None,
        title="secret key",
        description="encrypts the secrets that waiting deploys are answered with; several, one a line, while "
        "the key is changed; if left out, a file `secret.key` beside a SQLite database, made when the first "
        "integration is set up",
        examples=["fze_…"],
    )
    root_path: str | None = Field(
        default=None,
        title="URL path",
        pattern=r"^(/[A-Za-z0-9._~-]+)+$",
        examples=["/freezegate"],
        description="the path below which a proxy serves the gate, if not the root",
    )
    ca_file: Path | None = Field(
        default=None,
        title="path",
        description="PEM certificates to trust in outgoing calls, besides the usual ones",
        examples=["/etc/ssl/company.pem"],
    )
    calendar_networks: Annotated[str, AfterValidator(_check_listed_networks)] | None = Field(
        default=None,
        title="addresses or networks",
        description="the networks, comma-separated, that calendars by URL may be in besides public "
        "addresses; never link-local ones",
        examples=["10.20.0.0/16"],
    )
    calendar_ports: str = Field(
        default="443",
        title="ports",
        pattern=r"^[1-9]\d{0,4}(,[1-9]\d{0,4})*$",
        description="the ports, comma-separated, that calendars are fetched from",
        examples=["443,8443"],
    )
    calendar_http: Literal["refuse", "allow"] = Field(
        default="refuse",
        description="whether calendars may have an address that begins with `http://`, on port 80 as well",
        examples=["allow"],
    )
    keep_decisions: Annotated[str, AfterValidator(_check_kept)] | None = Field(
        default=None,
        title="days",
        pattern=r"^[1-9]\d{0,4}d$",
        examples=["400d"],
        description="how long decisions are kept before the gate moves them into the archive: 90d at least; "
        "all are kept if left out",
    )
    archive: str | None = Field(
        default=None,
        title="path or `none`",
        description="the folder of the archive, which pruned events go to; `none` prunes without one; a "
        "folder `archive` beside a SQLite file if left out",
        examples=["/var/lib/freezegate-archive"],
    )
    trusted_proxies: Annotated[str, AfterValidator(_check_networks)] | None = Field(
        default=None,
        title="addresses or networks",
        description="the proxies whose `X-Forwarded-For` is trusted, comma-separated, or `*` for all; none "
        "if left out",
        examples=["10.0.0.0/8,192.0.2.7"],
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least serious level that is logged", examples=["warning"]
    )

    @property
    def database(self) -> str:
        """The database URL, or its default: a SQLite file in `data`, or beside the policies."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_folder / 'freezegate.db'}"

    @property
    def kept_for(self) -> int | None:
        """The seconds that decisions are kept; None: all are."""
        return None if self.keep_decisions is None else int(self.keep_decisions.removesuffix("d")) * 86_400

    @property
    def data_folder(self) -> Path:
        """The folder of what the gate keeps itself: `data`, or that of the policies."""
        beside = self.policies if self.policies.is_dir() else self.policies.parent
        return beside if self.data is None else self.data

    @property
    def proxies(self) -> list[str] | None:
        """The addresses and networks whose ``X-Forwarded-For`` is trusted; None if none is.

        Those of IPv4 are listed again in the form that a dual-stack socket reports (RFC 4291, 2.5.5.2).
        """
        if self.trusted_proxies is None or self.trusted_proxies.strip() == "*":
            return None if self.trusted_proxies is None else ["*"]
        networks = [ipaddress.ip_network(each.strip()) for each in self.trusted_proxies.split(",")]
        mapped = (
            f"::ffff:{network.network_address}/{96 + network.prefixlen}"
            for network in networks
            if network.version == 4  # noqa: PLR2004 - of IP
        )
        return [*map(str, networks), *mapped]


def read_settings(environment: Mapping[str, str], **given: object) -> Settings:
    """Read the settings; `given` ones, from the command line, override the environment.

    A secret may also come from a file named by the same variable with ``_FILE`` behind it.

    Raises:
        SettingsError: a variable is unknown, malformed, given twice, or names a file that can't be read.
    """
    values = _values(environment) | {name: value for name, value in given.items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        wrong = error.errors(include_url=False)
        raise SettingsError("\n".join(_sentence(str(each["loc"][0]), each) for each in wrong)) from None


def _values(environment: Mapping[str, str]) -> dict[str, object]:
    """Return the settings in the environment, unvalidated."""
    values: dict[str, object] = {}
    ignored = _ignored(environment)
    for variable in environment:
        if not variable.startswith(PREFIX) or variable in ignored:
            continue
        field, value = _resolve(variable, environment[variable])
        if field in values:
            raise SettingsError(f"{PREFIX}{field.upper()} is given twice, as itself and as a file")
        values[field] = value
    return values


_BOUNDS: Final = {"ge": "at least", "le": "at most"}


def _sentence(field: str, detail: Any) -> str:
    """Describe the error of a setting's value in words; never repeat a secret."""
    context, kind = detail.get("ctx", {}), detail["type"]
    value = "" if _is_secret(field) else f", not {str(detail['input'])[:60]!r}"
    if kind == "value_error":
        said = str(context["error"])
    elif kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        said = f"must be one of {', '.join(known)}{value}{_did_you_mean(str(detail['input']).lower(), known)}"
    elif kind == "string_pattern_mismatch":
        said = f"must be like {' or '.join(map(str, Settings.model_fields[field].examples or ()))}{value}"
    elif kind.startswith("int"):
        said = f"must be a whole number{value}"
    else:
        said = _out_of_bounds(context, value)
    return f"{PREFIX}{field.upper()}: {said or 'can not be used'}"


def _out_of_bounds(context: Mapping[str, object], value: str) -> str:
    return "".join(f"must be {_BOUNDS[key]} {context[key]}{value}" for key in _BOUNDS.keys() & context)


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
    """Return the field that a variable sets, and its value."""
    if not value.strip():
        raise SettingsError(f"{variable} is set, but empty; give it a value, or leave it out")
    field = variable.removeprefix(PREFIX).lower()
    if field in Settings.model_fields:
        return field, value
    secret = field.removesuffix("_file")
    if secret != field and _is_secret(secret):
        return secret, _content(variable, value, several=secret in _SEVERAL)
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    raise SettingsError(f"{variable} is no setting{_did_you_mean(variable, known)}")


def _did_you_mean(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {close[0]}?" if close else ""


def _content(variable: str, path: str, *, several: bool = False) -> str:
    """Return the secret in a file of one line, or the `several` in one of several."""
    try:
        content = Path(path).read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise SettingsError(f"{variable}: the file {path} is no text") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "that is not the name of a file"
        raise SettingsError(f"{variable}: the file {path!r} can't be read: {why}") from None
    if not content:
        raise SettingsError(f"{variable}: the file {path} is empty")
    if len(content.splitlines()) > 1 and not several:
        raise SettingsError(f"{variable}: the file {path} holds more than one line")
    return content


def _is_secret(field: str) -> bool:
    return field in Settings.model_fields and "SecretStr" in str(Settings.model_fields[field].annotation)
