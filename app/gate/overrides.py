"""Override tokens: granted by ops, approved if the policies require it, spent by claims, revoked at once."""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.core.counted import counted
from app.core.decision import Rule
from app.core.decision_json import instant_or_none
from app.core.instant import format_instant
from app.core.notation import format_duration
from app.core.override import MAX_AHEAD, Approval, Override, OverrideState, approvals_wanted, ceiling
from app.core.policy import PolicySet
from app.gate.audit_events import Kind, happened
from app.gate.errors import ForbiddenError, InvalidFieldError, StateConflictError, UnknownRecordError
from app.gate.ids import new_id
from app.gate.in_force import InForce
from app.gate.scopes import check_services
from app.gate.store_cache import StoreCache
from app.identity.caller import Caller, Role
from app.identity.credentials import digest, fingerprint, new_token
from app.yaml.problem import did_you_mean, quoted

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.transaction import Transaction

NO_PERSON: Final = (
    "these credentials belong to no person: make a key with freezegate keys create --person, "
    "or use an identity token that names its user"
)
"""The reason why a caller can't approve, or grant what needs approval; follows "and" in errors."""

_NO_SUCH: Final = "there is no override of that id"


class GrantRequest(NamedTuple):
    """The properties of a new override."""

    services: tuple[str, ...]
    environments: tuple[str, ...]
    policies: tuple[str, ...] | None
    reason: str
    expires_at: int
    max_uses: int = 1
    ticket: str | None = None
    starts_at: int | None = None
    """None: at once."""
    ref: str | None = None


class Overrides:
    """The use cases of override tokens."""

    def __init__(self, store: "Store", cache: StoreCache) -> None:
        """Keep them in `store`, by a time that never goes back."""
        self._store = store
        self._cache = cache

    async def grant(self, caller: Caller, wanted: GrantRequest, in_force: InForce) -> tuple[Override, str]:
        """Grant an override and return it with its token, which is not stored.

        Raises:
            InvalidFieldError: it asks for more than the policies allow, or names something unknown.
            ForbiddenError: it uses a pattern, and the caller is no admin; it names a service outside the
                caller's scope; or it needs approvals, and the credentials belong to no person.
            StoreUnavailableError: it could not be recorded.
        """
        microseconds = self._cache.steady.microseconds()
        approvals = _approvals_needed(caller, wanted, in_force, microseconds // 1_000_000)
        if approvals and caller.person is None:
            raise ForbiddenError(f"the policies ask for approvals of such a token, and {NO_PERSON}")
        override = Override(
            id=new_id("ovr", microseconds),
            services=wanted.services,
            environments=wanted.environments,
            policies=wanted.policies,
            reason=wanted.reason,
            ticket=wanted.ticket,
            granted_by=caller.name,
            granted_at=microseconds // 1_000_000,
            expires_at=wanted.expires_at,
            max_uses=wanted.max_uses,
            uses=0,
            approvals_needed=approvals,
            granter=caller.person,
            starts_at=wanted.starts_at,
            ref=wanted.ref,
        )
        token = new_token()
        event = happened(
            microseconds,
            Kind.OVERRIDE_GRANTED,
            caller.name,
            override=to_json(override, override.granted_at),
            fingerprint=fingerprint(digest(token)),
        )

        def settle(transaction: "Transaction") -> None:
            self._cache.check_caller(caller, transaction)
            transaction.add_override(override, digest(token))
            transaction.append(event)

        await self._store.write(settle)
        return override, token

    async def approve(self, caller: Caller, override_id: str, in_force: InForce) -> Override:
        """Approve an override that another person granted; approving twice changes nothing.

        Raises:
            ForbiddenError: the caller granted it, or the credentials belong to no person; or it is for a
                service outside the caller's scope.
            StateConflictError: it is no longer usable, nothing needs this approval, or the person who
                granted it is unknown.
            UnknownRecordError: there is no such override.
            StoreUnavailableError: it could not be recorded.
        """
        return await self._store.write(partial(self._approve, caller, override_id, in_force))

    async def revoke(self, caller: Caller, override_id: str) -> Override:
        """Revoke an override, on every replica at once; revoking twice changes nothing.

        Raises:
            ForbiddenError: it is for a service outside the caller's scope.
            UnknownRecordError: there is no such override.
            StoreUnavailableError: it could not be recorded.
        """
        return await self._store.write(partial(self._revoke, caller, override_id))

    async def show(self, override_id: str) -> Override:
        """Return an override.

        Raises:
            UnknownRecordError: there is none of that id.
            StoreUnavailableError: it can't be read.
        """
        override = await self._store.read(lambda view: view.override(override_id))
        if override is None:
            raise UnknownRecordError(_NO_SUCH)
        return override

    async def opens(self, override: Override, token: str) -> bool:
        """Return whether a token is that of an override.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        found = await self._store.read(lambda view: view.override_of_token(digest(token)))
        return found is not None and found.id == override.id

    async def newest(self, *, usable: bool, before: str | None, most: int) -> list[Override]:
        """Return overrides, newest first; with `usable`, only usable ones."""
        now = self._cache.steady.now() if usable else None
        return await self._store.read(lambda view: view.newest_overrides(now, before, most))

    def _approve(
        self, caller: Caller, override_id: str, in_force: InForce, transaction: "Transaction"
    ) -> Override:
        self._cache.check_caller(caller, transaction)
        microseconds = self._cache.steady.microseconds()
        override = self._found(caller, override_id, transaction)
        if caller.person is None:
            raise ForbiddenError(f"people approve, not keys, and {NO_PERSON}")
        if caller.person == override.granter:
            raise ForbiddenError("an override is approved by another person than the one who granted it")
        if caller.person in {approval.person for approval in override.approvals}:
            return override
        state = override.state(microseconds // 1_000_000)
        if state not in (OverrideState.PENDING, OverrideState.SCHEDULED, OverrideState.ACTIVE):
            raise StateConflictError(f"this override is {state.value}")
        _check_wanted(override, in_force)
        approval = Approval(caller.name, microseconds // 1_000_000, caller.person)
        transaction.approve(override_id, approval)
        transaction.append(
            happened(
                microseconds, Kind.OVERRIDE_APPROVED, caller.name, override=override_id, person=caller.person
            )
        )
        return override._replace(approvals=(*override.approvals, approval))

    def _revoke(self, caller: Caller, override_id: str, transaction: "Transaction") -> Override:
        self._cache.check_caller(caller, transaction)
        microseconds = self._cache.steady.microseconds()
        override = self._found(caller, override_id, transaction)
        if override.revoked_at is not None:
            return override
        now = microseconds // 1_000_000
        transaction.revoke_override(override_id, caller.name, now)
        transaction.append(happened(microseconds, Kind.OVERRIDE_REVOKED, caller.name, override=override_id))
        return override._replace(revoked_by=caller.name, revoked_at=now)

    def _found(self, caller: Caller, override_id: str, transaction: "Transaction") -> Override:
        """Return an override that lies within the caller's scope."""
        override = transaction.override(override_id)
        if override is None:
            raise UnknownRecordError(_NO_SUCH)
        self._cache.scopes.services(caller, override.services)
        return override


def to_json(override: Override, at: int, in_force: InForce | None = None) -> dict[str, Any]:
    """Return the JSON representation of an override at an instant, without its token.

    Args:
        override: the override.
        at: the instant.
        in_force: the policies, which may require more approvals than the grant did.
    """
    needed = override.approvals_needed
    if in_force is not None:
        needed = approvals_wanted(override, in_force.policy_set.policies)
    return {
        "id": override.id,
        "state": override.state(at).value,
        "services": list(override.services),
        "environments": list(override.environments),
        "policies": None if override.policies is None else list(override.policies),
        "ref": override.ref,
        "reason": override.reason,
        "ticket": override.ticket,
        "granted_by": override.granted_by,
        "granter": override.granter,
        "granted_at": format_instant(override.granted_at),
        "starts_at": instant_or_none(override.starts_at),
        "expires_at": format_instant(override.expires_at),
        "max_uses": override.max_uses,
        "uses": override.uses,
        "uses_left": override.uses_left,
        "approvals": {
            "needed": needed,
            "given": [
                {"by": each.by, "at": format_instant(each.at), "person": each.person}
                for each in override.approvals
            ],
        },
        "revoked_by": override.revoked_by,
        "revoked_at": instant_or_none(override.revoked_at),
    }


def _check_wanted(override: Override, in_force: InForce) -> None:
    """Refuse an approval that would never count.

    Raises:
        StateConflictError: neither the grant nor a policy that it may lift requires it, or the person who
            granted it is unknown.
    """
    wanted = approvals_wanted(override, in_force.policy_set.policies)
    if wanted and override.granter is None:
        raise StateConflictError(
            "this override was granted with credentials that belong to no person, so its approver can't "
            "be proven to be another person; grant it again with a key of a person"
        )
    if not wanted:
        raise StateConflictError("nothing that this override may lift asks for an approval")
    if len(override.approvals) >= wanted:
        raise StateConflictError(f"this override has the approvals that it needs: {wanted}")


def _approvals_needed(caller: Caller, wanted: GrantRequest, in_force: InForce, now: int) -> int:
    """Check a request against the policies, and return how many people must approve it."""
    _check_environments(wanted, in_force.policy_set)
    _check_services(caller, wanted, in_force.policy_set)
    rules = tuple(_rule(in_force, rule_id) for rule_id in wanted.policies or ())
    most = ceiling(in_force.policy_set, rules)
    _check_life(wanted, most.max_ttl, now)
    if wanted.max_uses > most.max_uses:
        raise InvalidFieldError("max_uses", f"a token may have {counted(most.max_uses, 'use')} at most")
    if wanted.ticket is None:
        _check_ticket_not_required(in_force.policy_set, rules)
    return most.approvals


def _check_life(wanted: GrantRequest, max_ttl: int, now: int) -> None:
    """Check when a token starts and expires: the longest lifetime counts from its start."""
    starts_at = now if wanted.starts_at is None else wanted.starts_at
    if starts_at < now:
        raise InvalidFieldError("starts_at", "lies in the past")
    if starts_at - now > MAX_AHEAD:
        raise InvalidFieldError("starts_at", f"may lie {format_duration(MAX_AHEAD)} ahead at most")
    if wanted.expires_at <= now:
        raise InvalidFieldError("expires_at", "lies in the past")
    if wanted.expires_at <= starts_at:
        raise InvalidFieldError("expires_at", "must lie after its start")
    if wanted.expires_at - starts_at > max_ttl:
        raise InvalidFieldError("ttl", f"a token may live for {format_duration(max_ttl)} at most")


def _check_ticket_not_required(policy_set: PolicySet, rules: Iterable[Rule]) -> None:
    """Refuse a token without a ticket if the file, or a policy that it names, requires one."""
    if policy_set.overrides.require_ticket:
        raise InvalidFieldError("ticket", "the policies require a ticket of every token")
    for rule in rules:
        if rule.ceilings.require_ticket:
            raise InvalidFieldError("ticket", f"the policy {rule.id} requires a ticket of every token")


def _check_environments(wanted: GrantRequest, known: PolicySet) -> None:
    for environment in wanted.environments:
        if environment not in known.environments:
            near = did_you_mean(environment, known.environments)
            raise InvalidFieldError("environments", f"unknown environment {quoted(environment)}{near}")


def _check_services(caller: Caller, wanted: GrantRequest, known: PolicySet) -> None:
    check_services(caller, wanted.services, known)
    catalogue = known.services or {}
    for service in wanted.services:
        if "*" in service:
            if not caller.may(Role.ADMIN):
                raise ForbiddenError("only an admin may grant for a pattern; name the services")
        elif known.refuses_unknown and service not in catalogue:
            near = did_you_mean(service, catalogue)
            raise InvalidFieldError(
                "services",
                f"{quoted(service)} is not in the catalogue, whose services alone may be deployed{near}",
            )


def _rule(in_force: InForce, rule_id: str) -> Rule:
    rules: tuple[Rule, ...] = (*in_force.policy_set.policies, *in_force.engine.freezes)
    for rule in rules:
        if rule.id == rule_id:
            break
    else:
        near = did_you_mean(rule_id, [rule.id for rule in rules])
        raise InvalidFieldError("policies", f"no policy or freeze {quoted(rule_id)} is in force{near}")
    if rule.overridable == "never":
        raise InvalidFieldError("policies", f"{rule.id} is never overridden")
    return rule
