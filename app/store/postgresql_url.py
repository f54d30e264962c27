"""Parse the URL of a PostgreSQL: one server, or several of which one takes writes.

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
    found = _FORM.fullmatch(url)
    if found is None:
        raise DatabaseUrlError(_UNREADABLE)
    if "@" in found["hosts"]:
        raise DatabaseUrlError('in the database URL, a name or password with "@" in it is written with %40')
    query = parse_qsl(found["query"] or "", keep_blank_values=True)
    named = [value for name, value in query if name == "host"]
    hosts = [_host(each) for text in [found["hosts"], *named] for each in text.split(",") if each]
    given = {
        "user": unquote(found["user"] or ""),
        "password": unquote(found["password"] or ""),
        "dbname": unquote(found["database"] or ""),
        "host": ",".join(host for host, _ in hosts),
        "port": ",".join(port for _, port in hosts) if any(port for _, port in hosts) else "",
        "target_session_attrs": _WRITES if len(hosts) > 1 else "",
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


def _host(text: str) -> tuple[str, str]:
    """Return host and port; the folder of a socket has no port."""
    text = unquote(text)
    if text.startswith("/"):
        return text, ""
    found = _HOST.fullmatch(text)
    if found is None:
        raise DatabaseUrlError(_UNREADABLE)
    return found["host"].strip("[]"), found["port"] or ""
