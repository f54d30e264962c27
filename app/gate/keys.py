"""API keys: created on the database, or by the gate itself at its first start."""

import re
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from app.clock import Clock, not_behind
from app.core.policy import FORMS, GLOB_PATTERN, PolicySet
from app.gate.audit_events import Kind, happened
from app.gate.errors import InvalidFieldError, UnknownRecordError
from app.gate.ids import new_id
from app.identity.caller import Role, person_id
from app.identity.credentials import digest, fingerprint, is_key, new_key
from app.identity.oidc.vendors import PREFIXES, USER_CLAIMS
from app.settings import SettingsError
from app.store.records import KeyRecord

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.transaction import Transaction

FIRST_ADMIN: Final = "admin"
"""The name of the first key."""

_MEANS_A_TOKEN: Final = re.compile(rf"https?:|(?:{'|'.join(PREFIXES)}):|.*#\w+=")
"""The forms that mean the user of a CI system: a URL, the name in the record, or the end of that."""

_GLOB: Final = re.compile(GLOB_PATTERN)

_LONGEST_PERSON: Final = 256
"""Characters, as wide as the columns that persons are stored in."""


class KeyRequest(NamedTuple):
    """The properties of a new key."""

    name: str
    role: Role
    services: tuple[str, ...] | None = None
    expires_at: int | None = None
    person: str | None = None
    """The owner; None for a machine's key, which approves nothing."""
    tags: tuple[str, ...] | None = None


def create(store: "Store", clock: Clock, wanted: KeyRequest, by: str) -> tuple[KeyRecord, str]:
    """Make a key and return its record and the key itself, which is not stored.

    Raises:
        InvalidFieldError: it has no name or a person without one, expires in the past, restricts a viewer,
            or restricts a role to what is no name or pattern.
        StoreUnavailableError: it could not be recorded.
    """
    key = new_key()
    return store.transact(lambda transaction: _add(transaction, clock, wanted, by, key)), key


def revoke(store: "Store", clock: Clock, key_id: str, by: str) -> KeyRecord:
    """Revoke a key; revoking twice changes nothing.

    Raises:
        UnknownRecordError: there is no such key.
        StoreUnavailableError: it could not be recorded.
    """

    def settle(transaction: "Transaction") -> KeyRecord:
        key = transaction.key(key_id)
        if key is None:
            raise UnknownRecordError("there is no key of that id")
        if key.revoked_at is not None:
            return key
        microseconds = not_behind(clock.microseconds(), transaction.latest_at)
        transaction.revoke_key(key_id, microseconds // 1_000_000)
        transaction.append(happened(microseconds, Kind.KEY_REVOKED, by, key=key_id, name=key.name))
        return key._replace(revoked_at=microseconds // 1_000_000)

    return store.transact(settle)


def present(store: "Store", clock: Clock) -> int:
    """Return the time that keys are made and expire by, in seconds: never behind the record."""
    latest = store.query(lambda view: view.head()).latest_at
    return not_behind(clock.microseconds(), latest) // 1_000_000


def all_of_them(store: "Store") -> list[KeyRecord]:
    """Return all keys, revoked and expired ones included, oldest first."""
    return store.query(lambda view: view.keys())


def check_given(key: str) -> None:
    """Check the form of the key of the settings.

    Raises:
        SettingsError: it is no API key; the message contains no part of it.
    """
    if not is_key(key):
        raise SettingsError(
            "FREEZEGATE_ADMIN_KEY is not an API key: those begin with fzk_ and end in a checksum; "
            "it was mistyped or cut off, or made by something other than freezegate"
        )


def begin(store: "Store", clock: Clock, given: str | None, tell: Callable[[str], None] | None) -> bool:
    """Make a first key if there never was one.

    Args:
        store: where keys are.
        clock: the source of the time.
        given: the key of the settings, if any.
        tell: displays a key to the operator; None without a terminal.

    Returns:
        Whether there is any key now.

    Raises:
        SettingsError: `given` is no API key.
        StoreUnavailableError: it could not be recorded.
    """
    if given is not None:
        check_given(given)
    key = given or (new_key() if tell is not None else None)

    def settle(transaction: "Transaction") -> bool | None:
        if transaction.keys():
            return None
        if key is None:
            return False
        _add(transaction, clock, KeyRequest(FIRST_ADMIN, Role.ADMIN), "", key)
        return True

    made = store.transact(settle)
    if made and given is None and tell is not None and key is not None:
        tell(key)
    return made is not False


def _add(transaction: "Transaction", clock: Clock, wanted: KeyRequest, by: str, key: str) -> KeyRecord:
    microseconds = not_behind(clock.microseconds(), transaction.latest_at)
    now = microseconds // 1_000_000
    _check_request(wanted, now)
    record = KeyRecord(
        id=new_id("key", microseconds),
        name=wanted.name.strip(),
        role=wanted.role.value,
        services=wanted.services,
        created_by=by,
        created_at=now,
        expires_at=wanted.expires_at,
        revoked_at=None,
        person=None if wanted.person is None else wanted.person.strip(),
        tags=wanted.tags,
    )
    transaction.add_key(record, digest(key))
    transaction.append(
        happened(
            microseconds,
            Kind.KEY_CREATED,
            by,
            key=record.id,
            name=record.name,
            role=record.role,
            services=record.services,
            expires_at=record.expires_at,
            person=record.person,
            tags=record.tags,
            fingerprint=fingerprint(digest(key)),
        )
    )
    return record


def _check_request(wanted: KeyRequest, now: int) -> None:
    if not wanted.name.strip() or not wanted.name.isprintable():
        raise InvalidFieldError("name", "say whose key it is, in printable characters")
    if wanted.person is not None:
        check_person(wanted.person)
    _check_scope("services", wanted.services, wanted.role)
    _check_scope("tags", wanted.tags, wanted.role)
    if wanted.expires_at is not None and wanted.expires_at <= now:
        raise InvalidFieldError("expires_at", "lies in the past")


def _check_scope(field: str, patterns: tuple[str, ...] | None, role: Role) -> None:
    if patterns is None:
        return
    if role is Role.VIEWER:
        raise InvalidFieldError(field, "a viewer changes nothing, so there is nothing to restrict")
    for each in patterns:
        if _GLOB.fullmatch(each) is None:
            raise InvalidFieldError(field, FORMS[f"^{GLOB_PATTERN}$"])


def check_person(written: str) -> None:
    """Check the name of a person, and the form of one that means an identity token.

    Raises:
        InvalidFieldError: it can't be compared, or would never be equal to the person of an identity token.
    """
    if not (written.isprintable() and len(person_id(written)) > 0 and len(written) <= _LONGEST_PERSON):
        raise InvalidFieldError("person", "name the person in 1 to 256 printable characters")
    if _MEANS_A_TOKEN.match(person_id(written)) and not is_of_a_token(written):
        claims = ", ".join(USER_CLAIMS)
        raise InvalidFieldError(
            "person",
            f"write the person of an identity token as issuer#claim=id, with the claim {claims}: "
            "https://token.actions.githubusercontent.com#actor_id=1234",
        )


def is_person_of(written: str, forms: Collection[str]) -> bool:
    """Return whether a person may be one of those who sign in.

    Args:
        written: the person of a key.
        forms: what the persons who sign in begin with, see `SignInIssuer.person_form`; empty: only identity
            tokens are accepted, of any issuer.
    """
    begins = not forms or person_id(written).startswith(tuple(map(person_id, forms)))
    return begins and is_of_a_token(written)


def is_of_a_token(person: str) -> bool:
    """Return whether a person has the form that `app.identity.oidc` gives to identity tokens."""
    issuer, _, user = person_id(person).partition("#")
    claim, _, own_id = user.partition("=")
    return issuer.startswith("https://") and claim in USER_CLAIMS and bool(own_id)


class Approvers(NamedTuple):
    """The names of keys that look like approvers, but can't approve as intended."""

    without_person: list[str]
    """Keys that belong to no person."""
    by_name: list[str]
    """Keys whose person is not that of a sign-in or an identity token; there, the owner is another person."""


def is_usable(key: KeyRecord, now: int) -> bool:
    """Return whether a key is neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def doubtful_approvers(
    known: Iterable[KeyRecord], policy_set: PolicySet, now: int, forms: Collection[str] = ()
) -> Approvers:
    """Return the doubtful keys among the usable ones of ops and admins, if the policies ask for approvals.

    Args:
        known: all keys.
        policy_set: the policies in force.
        now: the present instant, in seconds.
        forms: what the persons who sign in begin with; see `is_person_of`.
    """
    if not _asks_for_approvals(policy_set):
        return Approvers([], [])
    usable = [key for key in known if _may_approve(key, now)]
    without_person = [key.name for key in usable if key.person is None]
    by_name = [key.name for key in usable if key.person and not is_person_of(key.person, forms)]
    return Approvers(sorted(without_person), sorted(by_name))


def _may_approve(key: KeyRecord, now: int) -> bool:
    return Role(key.role).covers(Role.OPS) and is_usable(key, now)


def _asks_for_approvals(policy_set: PolicySet) -> bool:
    ceilings = (policy_set.overrides, *(policy.ceilings for policy in policy_set.policies))
    return any(each.approvals for each in ceilings)
