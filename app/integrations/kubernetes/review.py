"""The reading of an admission review: the question that it asks of the gate.

A review is about a deploy if it makes an object with a pod template, or changes the template. Nothing else is
stopped: scaling, status, annotations, evictions, and pods, which have to come back after the loss of a node.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from app.core.decision import Question
from app.core.errors import MalformedValueError
from app.core.instant import HOUR, parse_instant
from app.core.policy import NAME_PATTERN
from app.integrations.kubernetes.section import Kubernetes

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"

SERVICE: Final = "freezegate.dev/service"
"""The annotation that names the service of an object."""

CHANGE: Final = "freezegate.dev/change"
"""The annotation, or label, that names the kind of change; see `change_of`."""

LONGEST_MARK: Final = HOUR
"""How far ahead the instant of a mark may lie, so that a forgotten one lets no deploy of tomorrow through."""

_NAME: Final = re.compile(NAME_PATTERN)
_TEMPLATES: Final = ("template", "jobTemplate")
_MADE_BY_CONTROLLERS: Final = ("Job", "ReplicaSet")
"""Kinds whose objects mostly belong to another one, which was reviewed."""
_WORDS_WITH_INSTANT: Final = 3


class Review(NamedTuple):
    """The question of a review, and whether it is a dry run."""

    question: Question | None
    """The question to decide; None if the review is about no deploy."""
    dry_run: bool


def uid_of(body: Mapping[str, Any]) -> str | None:
    """Return the uid of a review, which its answer repeats; None if it has none."""
    uid = _mapping(body.get("request")).get("uid")
    return uid if isinstance(uid, str) and uid else None


def read_review(body: Mapping[str, Any], section: Kubernetes, usual_change: str, now: int) -> Review:
    """Return what a review asks.

    Args:
        body: the review.
        section: says what namespaces and labels mean.
        usual_change: the kind of change of an object that names none.
        now: the time.

    Raises:
        MalformedValueError: it is no review, or its names can't be read.
    """
    if body.get("apiVersion") != API_VERSION or body.get("kind") != KIND:
        raise MalformedValueError(
            f"not a review of {API_VERSION}; write admissionReviewVersions: [v1] in the webhook configuration"
        )
    request = _mapping(body.get("request"))
    dry_run = request.get("dryRun") is True
    if not _is_deploy(request):
        return Review(None, dry_run)
    namespace = request.get("namespace")
    if not isinstance(namespace, str) or not namespace:
        raise MalformedValueError("the object has no namespace; only namespaced objects are deploys")
    new, old = _metadata(request, "object"), _metadata(request, "oldObject")
    change = change_of(_mark(new, CHANGE), _mark(old, CHANGE), now)
    question = Question(
        _service(request, new, old, section.service_label),
        section.environment_of(namespace),
        usual_change if change is None else change,
    )
    return Review(question, dry_run)


def change_of(mark: str | None, before: str | None, now: int) -> str | None:
    """Return the kind of change that a mark names; None if it names none, or counts no more.

    A mark stays on its object, so it would let the next deploy through as well. Therefore it counts only in
    the request that brings it: ``rollback``, or ``rollback INC-4711`` the next time. A mark such as
    ``rollback until 2026-11-30T10:00:00Z`` was there before, and counts until then.

    Args:
        mark: that of the object.
        before: that of the object as it was; ``kubectl rollout undo`` replaces all annotations.
        now: the time.

    Raises:
        MalformedValueError: a mark that counts can't be read.
    """
    if mark is not None and mark != before:
        kind, until = _read_mark(mark)
        return kind if until is None or _lasts(until, now) else None
    if before is not None:
        kind, until = _read_mark(before)
        return kind if until is not None and _lasts(until, now) else None
    return None


def _read_mark(mark: str) -> tuple[str, int | None]:
    words = mark.split()
    if not words or not _NAME.fullmatch(words[0]):
        raise MalformedValueError(f"{CHANGE}: begins with the kind of change, such as rollback")
    if len(words) < _WORDS_WITH_INSTANT or words[1] != "until":
        return words[0], None
    try:
        return words[0], parse_instant(words[2])
    except MalformedValueError as error:
        raise MalformedValueError(f"{CHANGE}: what follows until is {error}") from None


def _lasts(until: int, now: int) -> bool:
    if until - now > LONGEST_MARK:
        raise MalformedValueError(f"{CHANGE}: until is more than an hour ahead")
    return now < until


def _is_deploy(request: Mapping[str, Any]) -> bool:
    """Return whether a request makes an object with a pod template, or changes its template."""
    if request.get("subResource") or _comes_by_itself(request):
        return False
    operation = request.get("operation")
    return operation == "CREATE" or (operation == "UPDATE" and _changes_template(request))


def _comes_by_itself(request: Mapping[str, Any]) -> bool:
    """Return whether an object is a pod, or one that a controller makes for another object."""
    kind = _mapping(request.get("kind")).get("kind")
    if kind == "Pod":
        return True
    owners = _metadata(request, "object").get("ownerReferences")
    return (
        kind in _MADE_BY_CONTROLLERS
        and isinstance(owners, list)
        and any(_mapping(each).get("controller") is True for each in owners)
    )


def _changes_template(request: Mapping[str, Any]) -> bool:
    new, old = (_mapping(_mapping(request.get(key)).get("spec")) for key in ("object", "oldObject"))
    parts = [key for key in _TEMPLATES if key in new or key in old]
    if parts:
        return any(new.get(key) != old.get(key) for key in parts)
    # An object of another kind is compared as a whole: what deploys in it isn't known.
    return new != old or not new


def _service(request: Mapping[str, Any], new: Mapping[str, Any], old: Mapping[str, Any], label: str) -> str:
    """Return the service of an object.

    Raises:
        MalformedValueError: its name is not one of a service.
    """
    prefix = new.get("generateName")
    named = (
        _mark(new, SERVICE),
        _mark(old, SERVICE),
        _mapping(new.get("labels")).get(label),
        new.get("name"),
        request.get("name"),
        prefix.rstrip("-") if isinstance(prefix, str) else None,
    )
    name = next(filter(None, named), None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise MalformedValueError(
            "the object names no service; write the annotation "
            f"{SERVICE}: 1 to 128 of a-z, 0-9 and . _ / -, beginning with a letter or digit"
        )
    return name


def _mark(metadata: Mapping[str, Any], key: str) -> str | None:
    """Return an annotation, or the label of the same name; None if the object has neither."""
    for part in ("annotations", "labels"):
        value = _mapping(metadata.get(part)).get(key)
        if isinstance(value, str):
            return value
    return None


def _metadata(request: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return _mapping(_mapping(request.get(key)).get("metadata"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
