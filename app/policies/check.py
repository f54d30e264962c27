"""Check references between the parts of a policy set: names must exist, ids must differ.

Works on the plain values, not on the models, so that a mistake in one place does not hide those in
others. Values of the wrong shape are skipped here; `translate` reports them.
"""

import operator
from collections.abc import Callable, Iterator
from typing import Any, Final

from app.core.errors import MalformedValueError
from app.core.instant import DAY
from app.core.notation import format_duration, parse_duration
from app.core.policy import SERVICE_ZONE, Ceilings, SelfTest
from app.policies.inheritance import home_file, is_main_file
from app.policies.moment import parse_moment
from app.policies.vocabulary import Vocabulary, ceilings_of
from app.yaml.document import Document
from app.yaml.problem import Path, Problem, Severity, quoted

LONGEST_DEPLOY: Final = 31 * DAY

_SHARED: Final = frozenset({"version", "policies", "tests", "services", "timezone", "defaults"})
_CEILINGS: Final = (
    ("max_ttl", operator.gt, "longer"),
    ("max_uses", operator.gt, "more"),
    ("approvals", operator.lt, "fewer"),
)
"""The ceilings of overrides, each with the comparison of a policy's value that is too loose, and its word."""

_FIELDS: Final = ("environments", "services", "tags", "changes")


def check_set(documents: list[Document]) -> Iterator[Problem]:
    """Yield every problem in and between the files of a set."""
    vocabulary = Vocabulary(_top(document) for document in documents)
    yield from _check_shared_keys(documents)
    yield from _check_services_once(documents)
    yield from _check_home(documents)
    ids: dict[str, tuple[Document, Path]] = {}
    for document in documents:
        top = _top(document)
        yield from _check_top(document, top, vocabulary)
        for index, policy in enumerate(entries(document, "policies")):
            if isinstance(policy, dict):
                yield from _check_id(document, ("policies", index, "id"), policy.get("id"), ids)
                yield from _check_policy(document, ("policies", index), policy, vocabulary)
    for document in documents:
        for index, test in enumerate(entries(document, "tests")):
            if isinstance(test, dict):
                yield from _check_test(document, ("tests", index), test, vocabulary)


def entries(document: Document, key: str) -> list[Any]:
    """Return the entries of a top-level list; empty where there is no list."""
    return _list(_top(document), key)


def _top(document: Document) -> dict[str, Any]:
    return document.data if isinstance(document.data, dict) else {}


def _list(value: dict[str, Any], key: str) -> list[Any]:
    found = value.get(key)
    return found if isinstance(found, list) else []


def _check_shared_keys(documents: list[Document]) -> Iterator[Problem]:
    """Check that a key that speaks for the whole set stands in one of its files only."""
    first: dict[str, Document] = {}
    for document in documents:
        for key in _top(document).keys() - _SHARED:
            before = first.setdefault(key, document)
            if before is not document:
                line = before.place((key,)).best.line
                sentence = (
                    f"{quoted(key)} may stand in one file of a set only; it is in {before.name}, line {line}"
                )
                yield document.problem_of_key((key,), sentence)


def _check_services_once(documents: list[Document]) -> Iterator[Problem]:
    first: dict[str, Document] = {}
    for document in documents:
        services = _top(document).get("services")
        for name in services if isinstance(services, dict) else ():
            before = first.setdefault(name, document)
            if before is not document:
                line = before.place(("services", name)).best.line
                sentence = f"the service {quoted(name)} is already in {before.name}, line {line}"
                yield document.problem_of_key(("services", name), sentence)


def _check_home(documents: list[Document]) -> Iterator[Problem]:
    """Warn about files that differ in their zones, where none of them speaks for the set."""
    tops = list(map(_top, documents))
    number = home_file(tops)
    if number is None or is_main_file(tops[number]):
        return
    name = tops[number]["timezone"]
    if isinstance(name, str) and any(top.get("timezone", name) != name for top in tops):
        sentence = (
            f"the files have different zones; {quoted(name)} is taken for the set: for sentences, services "
            "and files without a timezone. Put environments into the file whose zone you mean"
        )
        yield documents[number].problem(("timezone",), sentence, Severity.WARNING)


def _check_top(document: Document, top: dict[str, Any], vocabulary: Vocabulary) -> Iterator[Problem]:
    version = top.get("version")
    if version == 1 and type(version) is not int:
        yield document.problem(("version",), "must be 1, the number")
    if top.get("unknown_services") == "refuse" and not vocabulary.has_catalogue:
        yield document.problem(
            ("unknown_services",), "refuse needs a catalogue: list the services under services"
        )
    defaults = top.get("defaults")
    for where, selector in _selectors(
        ("defaults", "applies_to"), defaults.get("applies_to") if isinstance(defaults, dict) else None
    ):
        yield from _check_selector(document, where, selector, vocabulary)


def _check_id(
    document: Document, path: Path, policy_id: Any, ids: dict[str, tuple[Document, Path]]
) -> Iterator[Problem]:
    if not isinstance(policy_id, str):
        return
    before, place = ids.setdefault(policy_id, (document, path))
    if place != path or before is not document:
        where = f"line {before.place(place).best.line}" + (
            f" of {before.name}" if before is not document else ""
        )
        yield document.problem(path, f"the id {quoted(policy_id)} is taken already, by the policy in {where}")


def _check_policy(
    document: Document, path: Path, policy: dict[str, Any], vocabulary: Vocabulary
) -> Iterator[Problem]:
    for key in ("applies_to", "exempt"):
        if key in policy:
            for where, selector in _selectors((*path, key), policy[key]):
                yield from _check_selector(document, where, selector, vocabulary)
    override = policy.get("override")
    if isinstance(override, dict):
        yield from _check_ceilings(document, (*path, "override"), override, vocabulary)
    if policy.get("timezone") == SERVICE_ZONE and not vocabulary.has_catalogue:
        sentence = "without a catalogue no service has a zone; the file's is taken for all"
        yield document.problem((*path, "timezone"), sentence, Severity.WARNING)


def _selectors(path: Path, value: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    if isinstance(value, dict):
        yield path, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            if isinstance(each, dict):
                yield (*path, index), each


def _check_selector(
    document: Document, path: Path, selector: dict[str, Any], vocabulary: Vocabulary
) -> Iterator[Problem]:
    for field in _FIELDS:
        for index, name in enumerate(_list(selector, field)):
            if isinstance(name, str) and (fault := vocabulary.fault_of(field, name)):
                yield document.problem((*path, field, index), fault)


def _check_ceilings(
    document: Document, path: Path, override: dict[str, Any], vocabulary: Vocabulary
) -> Iterator[Problem]:
    """Check that a policy only tightens the ceilings of the file."""
    own, most = ceilings_of(override), vocabulary.ceilings
    if own is None or most is None:
        return
    for key, is_looser, how in _CEILINGS:
        tightened, limit = getattr(own, key), getattr(most, key)
        if tightened is not None and limit is not None and is_looser(tightened, limit):
            shown = format_duration(limit) if key == "max_ttl" else limit
            sentence = f"{how} than the {shown} of overrides; a policy may only tighten it"
            yield document.problem((*path, key), sentence)
    yield from _check_ticket(document, path, own, most)


def _check_ticket(document: Document, path: Path, own: Ceilings, most: Ceilings) -> Iterator[Problem]:
    if most.require_ticket and own.require_ticket is False:
        sentence = "overrides requires a ticket of every token; a policy may only tighten it"
        yield document.problem((*path, "require_ticket"), sentence)


def _check_test(
    document: Document, path: Path, test: dict[str, Any], vocabulary: Vocabulary
) -> Iterator[Problem]:
    yield from _check_scope(document, path, test, vocabulary)
    yield from _check_times(document, path, test, vocabulary)
    if test.get("expect") == "allow" and test.get("by"):
        yield document.problem((*path, "by"), "nothing blocks or warns where allow is expected; leave it out")
    for index, policy_id in enumerate(_list(test, "by")):
        if isinstance(policy_id, str) and (fault := vocabulary.fault_of("by", policy_id)):
            yield document.problem((*path, "by", index), fault)


def _check_scope(
    document: Document, path: Path, test: dict[str, Any], vocabulary: Vocabulary
) -> Iterator[Problem]:
    for key, field in (("environment", "environments"), ("change", "changes")):
        name = test.get(key, SelfTest.model_fields[key].default)
        fault = vocabulary.fault_of(field, name) if isinstance(name, str) else None
        if fault and key in test:
            yield document.problem((*path, key), fault)
        elif fault:
            yield document.problem(path, f"{fault} ({quoted(name)} is taken where a test names none)")
    service = test.get("service") if vocabulary.refuses_unknown else None
    if isinstance(service, str) and (fault := vocabulary.fault_of("services", service)):
        yield document.problem((*path, "service"), fault)


def _check_times(
    document: Document, path: Path, test: dict[str, Any], vocabulary: Vocabulary
) -> Iterator[Problem]:
    home = vocabulary.zone_of(_top(document))
    if home is not None:
        for key in ("at", "next_change"):
            if isinstance(test.get(key), str):
                yield from _check_form(
                    document, (*path, key), test[key], lambda text: parse_moment(text, home)
                )
    if isinstance(test.get("duration"), str):
        yield from _check_form(document, (*path, "duration"), test["duration"], _parse_deploy)


def _parse_deploy(text: str) -> int:
    seconds = parse_duration(text)
    if seconds > LONGEST_DEPLOY:
        raise MalformedValueError("longer than 31 days")
    return seconds


def _check_form(document: Document, path: Path, text: str, parse: Callable[[str], int]) -> Iterator[Problem]:
    try:
        parse(text)
    except MalformedValueError as error:
        sentence = str(error)
        yield document.problem(
            path, f"{quoted(text)} is {sentence}" if sentence.startswith("not ") else sentence
        )
