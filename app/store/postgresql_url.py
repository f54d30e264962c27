"""The URL of a PostgreSQL database: one server, or several of which one accepts writes.

Several are written as in libpq, ``//a:1,b:2/gate`` (PostgreSQL's documentation, "Connection URIs"),
or as in SQLAlchemy, ``///gate?host=a:1&host=b:2``.
"""

import re
from typing import Final
from urllib.parse import parse_qsl, unquote

from app.store.errors import DatabaseUrlError

SCHEMES: Final = frozenset({"postgresql", "postgres"})

_FORM: Final = re.compile(
    r"(?P<scheme>\w+)(?:\+\w+)?://"
    r"(?:(?P<user>[^:/@?]*)(?::(?P<password>[^@]*))?@)?"
    r"(?P<hosts>[^/?]*)(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?"
)
_HOST: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>\d*))?")

_UNREADABLE: Final = "the database URL can't be read; one is postgresql://user@host/freezegate"
_WRITES: Final = "read-write"


def connection_parameters(url: str) -> dict[str, str]:
    """Return the parameters of a connection, by libpq's names.

    Of several servers the writable one is used, unless ``target_session_attrs`` says otherwise; after a
    failover it is another one.

    Raises:
        DatabaseUrlError: the URL can't be parsed, or names no database; the text holds no secret.
    """
    parts = _parts(url)
    query = parse_qsl(parts["query"], keep_blank_values=True)
    given = {
        "user": unquote(parts["user"]),
        "password": unquote(parts["password"]),
        "dbname": unquote(parts["database"]),
        **_servers([parts["hosts"], *(value for name, value in query if name == "host")]),
    }
    parameters = {name: value for name, value in given.items() if value}
    parameters |= {name: value for name, value in query if name != "host"}
    if "dbname" not in parameters:
        raise DatabaseUrlError("the database URL names no database: postgresql://user@host/freezegate")
    return parameters


def shown(parameters: dict[str, str]) -> str:
    """Return the name of the database for messages: a URL without password and options."""
    ports = parameters.get("port", "").split(",")
    hosts = parameters.get("host", "").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    places = ",".join(f"{host}:{port}" if port else host for host, port in zip(hosts, ports, strict=False))
    user = f"{parameters['user']}@" if "user" in parameters else ""
    return f"postgresql://{user}{places}/{parameters['dbname']}"


def _parts(url: str) -> dict[str, str]:
    """Return the parts of a URL, still quoted; a part that it lacks is empty."""
    found = _FORM.fullmatch(url)
    if found is None:
        raise DatabaseUrlError(_UNREADABLE)
    if "@" in found["hosts"]:
        raise DatabaseUrlError('in the database URL, a name or password with "@" in it is written with %40')
    return found.groupdict("")


def _servers(texts: list[str]) -> dict[str, str]:
    """Return the parameters that name the servers; each text is a comma-separated list of them."""
    hosts = [_host(each) for text in texts for each in text.split(",") if each]
    ports = [port for _, port in hosts]
    return {
        "host": ",".join(host for host, _ in hosts),
        "port": ",".join(ports) if any(ports) else "",
        "target_session_attrs": _WRITES if len(hosts) > 1 else "",
    }


def _host(text: str) -> tuple[str, str]:
    """Return host and port; the directory of a socket has no port."""
    text = unquote(text)
    if text.startswith("/"):
        return text, ""
    found = _HOST.fullmatch(text)
    if found is None:
        raise DatabaseUrlError(_UNREADABLE)
    return found["host"].strip("[]"), found["port"] or ""
