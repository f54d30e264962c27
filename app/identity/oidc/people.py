"""Sign people in at an issuer, by OpenID Connect: authorization code with PKCE, `state` and `nonce`."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from app.identity.caller import Caller
from app.identity.oidc import generic
from app.identity.oidc.calls import Answer, basic, call
from app.identity.oidc.discovery import Discovery, Endpoints
from app.identity.oidc.errors import CredentialsError, IssuerUnavailableError, NoRuleError
from app.identity.oidc.keyring import Keyring, fetch
from app.identity.oidc.login import Login
from app.identity.oidc.sign_in_section import SignInIssuer, has_verified_address, person_forms
from app.identity.oidc.tokens import Expected, signed_with, unverified_parts, verified_claims
from app.identity.oidc.vendors import name_of, person_of
from app.outbound import Outbound, OutboundError

DEADLINE: Final = 5.0
"""Seconds of each exchange with an issuer, in all: a person waits for it."""

MOST_GROUPS: Final = 1_000
_LONGEST_CODE: Final = 4_096
_MOST_SAID: Final = 200
_MOST_NAMED: Final = 20
_HASHES: Final = {"256": "sha256", "384": "sha384", "512": "sha512"}

_logger: Final = logging.getLogger("freezegate.identity")


class SignedIn(NamedTuple):
    """A person whom an issuer has signed in."""

    caller: Caller
    issuer: str
    """The URL of the issuer."""
    place: str
    """Where they go back to."""


class _Tokens(NamedTuple):
    id_token: str
    access_token: str | None


class _Place(NamedTuple):
    """One issuer, and what is remembered of it."""

    section: SignInIssuer
    discovery: Discovery
    keyring: Keyring


class People:
    """The issuers at which people sign in."""

    def __init__(
        self,
        sections: Sequence[SignInIssuer],
        folder: Path,
        environment: Mapping[str, str],
        outbound: Outbound | None = None,
        deadline: float = DEADLINE,
    ) -> None:
        """Sign in at the issuers of `sections`.

        Args:
            sections: those of the identity file.
            folder: where the file is; secrets in files are beside it.
            environment: holds the variables with secrets.
            outbound: makes the clients that call them.
            deadline: seconds of each exchange.
        """
        self._outbound = outbound or Outbound()
        self._folder = folder
        self._environment = environment
        self._deadline = deadline
        get = partial(fetch, self._outbound)
        self._places = {
            each.id: _Place(each, Discovery(each.issuer, get, deadline), Keyring(each, get, deadline))
            for each in sections
        }

    @property
    def names(self) -> dict[str, str]:
        """The names on the buttons, by the ids of the issuers."""
        return {own_id: place.section.name for own_id, place in self._places.items()}

    @property
    def person_forms(self) -> tuple[str, ...]:
        """The beginnings of the persons that sign in as ops or admin; none if no rule gives these roles."""
        return person_forms(place.section for place in self._places.values())

    def id_of(self, issuer: str | None) -> str | None:
        """Return the id of an issuer's URL; None if it is configured no longer."""
        return next((key for key, each in self._places.items() if each.section.issuer == issuer), None)

    def still_give(self, issuer: str | None, caller: Caller) -> bool:
        """Return whether an issuer is configured, and a rule of it gives the rights that a person has.

        Args:
            issuer: its URL.
            caller: the person, with the rights of their session.
        """
        sections = (place.section for place in self._places.values())
        return any(each.issuer == issuer and each.still_gives(caller) for each in sections)

    async def begin(self, login: Login, redirect_uri: str, now: int) -> str:
        """Return the URL at the issuer that a sign-in begins at.

        Raises:
            IssuerUnavailableError: it can't be reached.
        """
        place = self._places[login.issuer]
        endpoints = await place.discovery.endpoints(now)
        return _with_query(
            endpoints.authorization,
            response_type="code",
            client_id=place.section.client_id,
            redirect_uri=redirect_uri,
            scope=" ".join(place.section.scopes),
            state=login.state,
            nonce=login.nonce,
            code_challenge=login.challenge,
            code_challenge_method="S256",
        )

    async def finish(self, login: Login, redirect_uri: str, answer: Mapping[str, str], now: int) -> SignedIn:
        """Return the person of an answer that an issuer has sent a browser back with.

        Args:
            login: the sign-in that the browser's cookie has.
            redirect_uri: as it was sent to the issuer.
            answer: the query of the request.
            now: the present instant, in seconds.

        Raises:
            CredentialsError: the answer belongs to another sign-in, says no, or its tokens are wrong.
            NoRuleError: the person is known, and no rule gives them a role.
            IssuerUnavailableError: the issuer can't be reached, or fails.
        """
        place = self._places[login.issuer]
        if not login.proves(answer.get("state", "")):
            raise CredentialsError("this answer belongs to another sign-in; start again")
        endpoints = await place.discovery.endpoints(now)
        _check_issuer(place.section, endpoints, answer.get("iss"))
        code = _code(place.section, answer)
        tokens = await self._exchange(place, endpoints, login, code, redirect_uri)
        claims = await _proven(place, tokens, login.nonce, now)
        claims = await self._with_userinfo(place, endpoints, tokens, claims)
        return SignedIn(_caller(place.section, claims), place.section.issuer, login.place)

    async def farewell(self, own_id: str, back: str, now: int) -> str | None:
        """Return the URL at which a person signs out at an issuer as well; None if it offers none.

        Args:
            own_id: the id of the issuer.
            back: the page of this gate to come back to, which must be registered there.
            now: the present instant, in seconds.
        """
        place = self._places.get(own_id)
        if place is None:
            return None
        try:
            endpoints = await place.discovery.endpoints(now)
        except IssuerUnavailableError:
            return None
        if endpoints.end_session is None:
            return None
        return _with_query(
            endpoints.end_session, client_id=place.section.client_id, post_logout_redirect_uri=back
        )

    async def _exchange(
        self, place: _Place, endpoints: Endpoints, login: Login, code: str, redirect_uri: str
    ) -> _Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": login.verifier,
        }
        headers = self._authenticated(place.section, endpoints, form)
        answer = await self._call(place.section, endpoints.token, headers, form)
        told = _told(answer)
        if answer.status != HTTPStatus.OK or "error" in told:
            said = _said(told.get("error"), told.get("error_description")) or f"status {answer.status}"
            raise CredentialsError(f"{place.section.name} gave no token: {said}")
        id_token, access_token = told.get("id_token"), told.get("access_token")
        if not isinstance(id_token, str):
            raise CredentialsError(f"{place.section.name} gave no ID token")
        return _Tokens(id_token, access_token if isinstance(access_token, str) else None)

    def _authenticated(
        self, section: SignInIssuer, endpoints: Endpoints, form: dict[str, str]
    ) -> dict[str, str]:
        """Return the headers that authenticate the client, or put its secret into the form."""
        try:
            secret = section.client_secret(self._folder, self._environment)
        except ValueError as error:
            _logger.warning("the client secret for %s can't be used: %s", section.issuer, error)
            raise IssuerUnavailableError("the client secret of this gate can't be read") from None
        if secret is not None and "client_secret_post" not in endpoints.methods:
            return {"Authorization": basic(section.client_id, secret)}
        form["client_id"] = section.client_id
        if secret is not None:
            form["client_secret"] = secret
        return {}

    async def _with_userinfo(
        self, place: _Place, endpoints: Endpoints, tokens: _Tokens, claims: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the claims, with those of the userinfo endpoint if the token lacks the groups."""
        section = place.section
        if not section.needs_groups or section.groups_claim in claims:
            return claims
        if endpoints.userinfo is None or tokens.access_token is None:
            return claims
        headers = {"Authorization": f"Bearer {tokens.access_token}"}
        answer = await self._call(section, endpoints.userinfo, headers)
        told = _told(answer)
        if answer.status != HTTPStatus.OK or told.get("sub") != claims["sub"]:
            raise CredentialsError(f"{section.name} says nothing about the groups of this person")
        return {**told, **claims}

    async def _call(
        self,
        section: SignInIssuer,
        url: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call an issuer; its failures are outages, in which nobody has given a wrong password.

        Raises:
            IssuerUnavailableError: there is no answer, or none that can be used.
        """
        import httpx

        try:
            async with asyncio.timeout(self._deadline):
                answer = await call(self._outbound, url, headers, form)
        except (httpx.HTTPError, OutboundError, ValueError, TimeoutError) as error:
            _logger.warning("%s of %s fails: %s", urlsplit(url).path, section.issuer, type(error).__name__)
            raise IssuerUnavailableError(f"{section.name} does not answer; try again") from None
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _logger.warning("%s of %s answered %d", urlsplit(url).path, section.issuer, answer.status)
            raise IssuerUnavailableError(f"{section.name} fails; try again")
        return answer


def _check_issuer(section: SignInIssuer, endpoints: Endpoints, said: str | None) -> None:
    """Check that an answer comes from the issuer that was asked (RFC 9207)."""
    if said is None and not endpoints.names_itself:
        return
    if said != section.issuer:
        raise CredentialsError("this answer comes from another issuer; start again")


def _code(section: SignInIssuer, answer: Mapping[str, str]) -> str:
    if "error" in answer:
        said = _said(answer["error"], answer.get("error_description"))
        raise CredentialsError(f"{section.name} says: {said}")
    code = answer.get("code", "")
    if not 0 < len(code) <= _LONGEST_CODE:
        raise CredentialsError(f"{section.name} sent no code; start again")
    return code


async def _proven(place: _Place, tokens: _Tokens, nonce: str, now: int) -> dict[str, Any]:
    """Return the claims of an ID token that was made for this sign-in."""
    section = place.section
    expected = Expected(section.issuer, section.client_id, only_audience=False)
    claims = await verified_claims(tokens.id_token, expected, place.keyring, now)
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode(errors="replace"), nonce.encode()):
        raise CredentialsError("the ID token belongs to another sign-in")
    audiences = claims["aud"]
    party = claims.get("azp")
    if (isinstance(audiences, list) and len(audiences) > 1 and party is None) or (
        party is not None and party != section.client_id
    ):
        raise CredentialsError("the ID token was made for another client")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise CredentialsError("the ID token does not say who it is")
    _check_access_token(claims, tokens)
    return claims


def _check_access_token(claims: Mapping[str, Any], tokens: _Tokens) -> None:
    """Check `at_hash` where there is one: the access token belongs to the ID token."""
    if "at_hash" not in claims or tokens.access_token is None:
        return
    algorithm, _ = signed_with(unverified_parts(tokens.id_token)[0])
    name = _HASHES.get(algorithm[-3:])
    if name is None:
        return  # EdDSA names no hash, and issuers differ
    digest = hashlib.new(name, tokens.access_token.encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    if claims["at_hash"] != half:
        raise CredentialsError("the ID token belongs to another access token")


def _caller(section: SignInIssuer, claims: dict[str, Any]) -> Caller:
    groups = list(_groups(claims.get(section.groups_claim)))
    name = _name(claims)
    for rule in section.rules:
        if rule.fits(claims, groups):
            # Jobs of the same issuer may name the same person by another claim.
            as_in_jobs = generic.VENDOR._replace(user=section.person_claim)
            person = person_of(as_in_jobs, {section.person_claim: claims["sub"]}, section.issuer)
            return Caller(name, rule.role, rule.only_services, person=person, tags=rule.only_tags)
    named = ", ".join(groups[:_MOST_NAMED]) or "none"
    raise NoRuleError(
        name,
        f"{section.name} signed you in as {name}, and no rule of this gate gives that a role; your groups "
        f"({section.groups_claim}): {_said(named)}. {_about_address(section, claims)}"
        "Ask an admin of this gate",
    )


def _about_address(section: SignInIssuer, claims: Mapping[str, Any]) -> str:
    """Return why no rule on an address fits, as a sentence; empty if that is not the reason."""
    if has_verified_address(claims) or not any(rule.names_address for rule in section.rules):
        return ""
    return f"{section.name} did not verify your e-mail address, so no rule on it fits. "


def _groups(value: Any) -> Iterator[str]:
    many = value if isinstance(value, list) else [value]
    return (each for each in many[:MOST_GROUPS] if isinstance(each, str))


def _name(claims: Mapping[str, Any]) -> str:
    """Return the person's name in the record: a verified address, or a name marked as the issuer's.

    People choose other names themselves, and could choose that of a key.
    """
    email = claims.get("email")
    if has_verified_address(claims) and isinstance(email, str) and "@" in email:
        return name_of(generic.VENDOR, {"sub": email}).partition(":")[2]
    chosen = claims.get("preferred_username")
    return name_of(generic.VENDOR, {"sub": chosen if isinstance(chosen, str) and chosen else claims["sub"]})


def _told(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of an answer; empty if it is none."""
    try:
        found = json.loads(answer.content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _said(*texts: Any) -> str:
    """Return what an issuer says, as a short line."""
    line = ": ".join(each for each in texts if isinstance(each, str) and each)
    return "".join(letter if letter.isprintable() else " " for letter in line[:_MOST_SAID])


def _with_query(url: str, **parameters: str) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(parameters)}"
