"""Sessions: a browser exchanges an API key for a cookie, or a person signs in at an issuer.

A session of a key has its rights, for as long as the key is valid. A session of a person has the rights that
the issuer's claims gave at sign-in: a change there takes effect at the next. It is over where the identity
file no longer has its issuer, or a rule that gives these rights. Both last 12 hours at most.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.core.instant import DAY, HOUR
from app.gate.audit_events import Kind, happened
from app.gate.errors import ForbiddenError, StoreUnavailableError, UnknownRecordError
from app.gate.ids import new_id
from app.gate.keys import is_usable
from app.gate.store_cache import StoreCache, caller_of
from app.identity.caller import Caller, Role
from app.identity.credentials import digest, fingerprint, is_session, new_session
from app.store.records import KeyRecord, SessionOwner, SessionRecord

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.transaction import Transaction

LIFETIME: Final = 12 * HOUR
"""Seconds that a session lasts: a working day and what follows it."""

MOST_LISTED: Final = 200
MOST_REMEMBERED: Final = 1024
"""Sessions that a replica remembers for outages of the store."""

_MOST_SAID: Final = 200
FORGOTTEN_AFTER: Final = 30 * DAY
"""Seconds after its end that a session is forgotten."""


class Opened(NamedTuple):
    """A session as it is listed."""

    record: SessionRecord
    name: str
    """The name of its key or its person."""
    role: str


class Sessions:
    """The use cases of sessions."""

    def __init__(self, store: "Store", cache: StoreCache) -> None:
        """Keep them in `store`; `cache` has the keys, and a time that never goes back."""
        self._store = store
        self._cache = cache
        self._seen: dict[str, SessionRecord] = {}
        """The sessions looked up last, by the hashes of their secrets; the latest at the end."""
        self.still_given: Callable[[str | None, Caller], bool] = _nothing_given
        """Whether the issuer of a URL still gives a person their rights; without sign-ins, none does."""

    async def open(self, caller: Caller, browser: str) -> str:
        """Open a session for the caller of a key and return its secret, which is not stored.

        Args:
            caller: the caller, authenticated by a key.
            browser: the User-Agent header; its first 200 printable characters are kept.

        Raises:
            ForbiddenError: the caller has no API key.
            StoreUnavailableError: it could not be recorded.
        """
        if caller.key_id is None:
            raise ForbiddenError("a session is opened with an API key")
        return await self._open(caller, browser, {}, key=caller.key_id)

    async def open_of_person(self, caller: Caller, issuer: str, browser: str) -> str:
        """Open a session for a person whom an issuer has signed in; return its secret, see `open`.

        Args:
            caller: the caller, with a name, a role and a person.
            issuer: the URL of the issuer.
            browser: see `open`.

        Raises:
            StoreUnavailableError: it could not be recorded.
        """
        assert caller.role is not None and caller.person is not None  # noqa: S101, PT018 - they signed in
        rights = {
            "person": caller.person,
            "name": caller.name,
            "role": caller.role.value,
            "services": caller.services,
            "tags": caller.tags,
            "issuer": issuer,
        }
        return await self._open(caller, browser, rights, key=None)

    async def _open(self, caller: Caller, browser: str, rights: dict[str, Any], *, key: str | None) -> str:
        secret = new_session()
        microseconds = self._cache.steady.microseconds()
        now = microseconds // 1_000_000
        said = "".join(letter for letter in browser if letter.isprintable())[:_MOST_SAID]
        own_id = new_id("ses", microseconds)
        session = SessionRecord(own_id, key, said, now, now + LIFETIME, None, **rights)
        event = happened(
            microseconds,
            Kind.SESSION_OPENED,
            caller.name,
            session=session.id,
            key=key,
            browser=said,
            **rights,
            fingerprint=fingerprint(digest(secret)),
        )

        def settle(transaction: "Transaction") -> None:
            self._cache.check_caller(caller, transaction)
            transaction.prune_sessions(now - FORGOTTEN_AFTER)
            transaction.add_session(session, digest(secret))
            transaction.append(event)

        await self._store.write(settle)
        return secret

    async def caller(self, secret: str, *, from_memory: bool) -> Caller | None:
        """Return the caller that a session authenticates; None if it is invalid, expired or revoked.

        None, too, for a session of a person whose issuer, or whose rights, are configured no longer.

        Args:
            secret: the value of the cookie.
            from_memory: whether a session seen before is valid while the store can't be reached, as a key
                is; only for reading.

        Raises:
            StoreUnavailableError: it can't be looked up, and is not remembered.
        """
        if not is_session(secret):
            return None
        session = await self._find(digest(secret), from_memory=from_memory)
        now = self._cache.steady.now()
        if session is None or not _is_open(session, now):
            return None
        if session.key_id is None:
            person = _person_of(session)
            return person if self.still_given(session.issuer, person) else None
        key = self._cache.key_of_id(session.key_id)
        if key is None or not is_usable(key, now):
            return None
        return caller_of(key)._replace(session_id=session.id)

    async def _find(self, hashed: str, *, from_memory: bool) -> SessionRecord | None:
        try:
            session = await self._store.read(lambda view: view.session_of_secret(hashed))
        except StoreUnavailableError:
            if from_memory and hashed in self._seen:
                return self._seen[hashed]
            raise
        # A revoked session is forgotten as soon as it is read: memory never outlives the revocation.
        self._seen.pop(hashed, None)
        if session is not None and session.revoked_at is None:
            self._seen[hashed] = session
            if len(self._seen) > MOST_REMEMBERED:
                del self._seen[next(iter(self._seen))]
        return session

    async def listed(self, caller: Caller) -> list[Opened]:
        """Return the open sessions of the caller, newest first; for an admin, those of everyone."""
        now = self._cache.steady.now()
        keys = {key.id: key for key in self._cache.known_keys if _sees(caller, key)}
        owner = None if _sees_all(caller) else SessionOwner(tuple(keys), caller.person)
        found = await self._store.read(lambda view: view.open_sessions(now, owner, MOST_LISTED))
        opened = (_opened(record, keys) for record in found)
        return [each for each in opened if each is not None]

    async def close(self, caller: Caller, session_id: str) -> str | None:
        """Revoke a session: the caller's own, or any for an admin. Revoking twice changes nothing.

        Returns:
            The URL of the issuer that signed its person in; None for a session of a key.

        Raises:
            UnknownRecordError: the caller has no such session.
            StoreUnavailableError: it could not be recorded.
        """
        return await self._store.write(partial(self._close, caller, session_id))

    def _close(self, caller: Caller, session_id: str, transaction: "Transaction") -> str | None:
        self._cache.steady.follow(transaction.latest_at)
        session = transaction.session(session_id)
        if session is None or not _may_close(caller, session, transaction):
            raise UnknownRecordError("there is no session of that id")
        if session.revoked_at is not None:
            return session.issuer
        microseconds = self._cache.steady.microseconds()
        transaction.revoke_session(session_id, microseconds // 1_000_000)
        transaction.append(happened(microseconds, Kind.SESSION_CLOSED, caller.name, session=session_id))
        return session.issuer


def _nothing_given(_issuer: str | None, _caller: Caller) -> bool:
    return False


def _is_open(session: SessionRecord, now: int) -> bool:
    return session.revoked_at is None and session.expires_at > now


def _person_of(session: SessionRecord) -> Caller:
    """Return the caller that a session of a person authenticates."""
    return Caller(
        session.name or "",
        None if session.role is None else Role(session.role),
        session.services,
        session_id=session.id,
        person=session.person,
        tags=session.tags,
    )


def _opened(record: SessionRecord, keys: Mapping[str, KeyRecord]) -> Opened | None:
    """Return a session as it is listed; None if its key is not among those that are seen."""
    if record.key_id is None:
        return Opened(record, record.name or "", record.role or "")
    key = keys.get(record.key_id)
    return None if key is None else Opened(record, key.name, key.role)


def _may_close(caller: Caller, session: SessionRecord, transaction: "Transaction") -> bool:
    if session.key_id is None:
        return _sees_all(caller) or session.person == caller.person
    key = transaction.key(session.key_id)
    return key is not None and _sees(caller, key)


def _sees_all(caller: Caller) -> bool:
    """Return whether the caller may list and close everyone's sessions: an admin without a scope."""
    return caller.may(Role.ADMIN) and caller.scope is None


def _sees(caller: Caller, key: KeyRecord) -> bool:
    """Return whether the caller may list and close the sessions of a key: its person, or an admin."""
    if _sees_all(caller) or key.id == caller.key_id:
        return True
    owner = caller_of(key).person
    return owner == caller.person if owner or caller.person else key.name == caller.name
