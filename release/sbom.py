"""The software bill of materials: the locked packages that the gate runs with, as CycloneDX 1.6."""

import re
import tomllib
import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path
from typing import Final, NamedTuple

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NAME: Final = "freezegate"
REQUIRED: Final = "run.txt"
OPTIONAL: Final = "otel.txt"
"""The lock of a gate with every extra; what `REQUIRED` lacks is optional."""

_PIN: Final = re.compile(
    r"^([a-z0-9.-]+)==(\S+)(?: ; ([^\\\n]+?))? \\\n((?:    --hash=sha256:.*\n?)+)", re.MULTILINE
)
_HASH: Final = re.compile(r"sha256:([0-9a-f]{64})")
_MARKER: Final = "freezegate:marker"
"""The property with the environment that a package is installed in."""


class Pin(NamedTuple):
    """A package of a lock file."""

    name: str
    version: str
    marker: str | None
    hashes: tuple[str, ...]

    @property
    def ref(self) -> str:
        """How other parts of the document refer to it."""
        return f"{self.name}=={self.version}"


def pins(lock: Path) -> list[Pin]:
    """Return the packages of a lock file."""
    return [
        Pin(name, version, marker or None, tuple(_HASH.findall(hashes)))
        for name, version, marker, hashes in _PIN.findall(lock.read_text(encoding="utf-8"))
    ]


def bill_of_materials(locks: Path, version: str, built: int) -> str:
    """Return the document as JSON.

    Args:
        locks: the folder of the lock files.
        version: that of the release.
        built: the time of the build, in seconds since 1970.
    """
    required = {pin.ref for pin in pins(locks / REQUIRED)}
    locked = pins(locks / OPTIONAL)
    components = {pin.ref: _component(pin, is_required=pin.ref in required) for pin in locked}
    root = Component(
        type=ComponentType.APPLICATION,
        name=NAME,
        version=version,
        bom_ref=NAME,
        purl=PackageURL("pypi", None, NAME, version),
        licenses=[LicenseFactory().make_from_string("MIT")],
    )
    bom = Bom(
        components=components.values(),
        metadata=BomMetaData(component=root, timestamp=datetime.fromtimestamp(built, UTC)),
        # Of the content, so that the same release has the same document.
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, "\n".join([NAME, version, *sorted(components)])),
    )
    direct = _direct(locks)
    extras = _extras([*direct, *(each for pin in locked for each in _asked(pin.name))])
    named = {canonicalize_name(each.name) for each in direct}
    bom.register_dependency(root, [components[pin.ref] for pin in locked if pin.name in named])
    for pin in locked:
        needed = _needed(pin.name, extras.get(pin.name, {""}))
        bom.register_dependency(
            components[pin.ref], [components[each.ref] for each in locked if each.name in needed]
        )
    return str(JsonV1Dot6(bom).output_as_string(indent=2)) + "\n"


def _component(pin: Pin, *, is_required: bool) -> Component:
    licenses = [LicenseFactory().make_from_string(each) for each in _licenses(pin.name)]
    return Component(
        type=ComponentType.LIBRARY,
        name=pin.name,
        version=pin.version,
        bom_ref=pin.ref,
        purl=PackageURL("pypi", None, pin.name, pin.version),
        scope=ComponentScope.REQUIRED if is_required else ComponentScope.OPTIONAL,
        # One for each file that the index has of this version: the sdist and the wheels.
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in pin.hashes],
        licenses=licenses,
        properties=[] if pin.marker is None else [Property(name=_MARKER, value=pin.marker)],
    )


def _licenses(name: str) -> list[str]:
    """Return the license that an installed package names: an SPDX expression, words, or classifiers."""
    try:
        fields = metadata(name).json
    except PackageNotFoundError:
        return []
    for key in ("license_expression", "license"):
        if (told := fields.get(key)) and "\n" not in told:
            return [str(told)]
    classifiers = fields.get("classifier", ())
    return [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License :: ")]


def _direct(locks: Path) -> list[Requirement]:
    """Return what the project itself asks for, tracing included."""
    project = tomllib.loads(locks.parent.joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [
        Requirement(each) for each in (*project["dependencies"], *project["optional-dependencies"]["otel"])
    ]


def _asked(name: str) -> list[Requirement]:
    """Return what an installed package asks for, with all of its extras."""
    try:
        return [Requirement(each) for each in requires(name) or []]
    except PackageNotFoundError:
        return []


def _extras(asked: Iterable[Requirement]) -> dict[str, set[str]]:
    """Return the extras that are asked for of each package, and the package without any."""
    extras: defaultdict[str, set[str]] = defaultdict(lambda: {""})
    for each in asked:
        extras[canonicalize_name(each.name)] |= each.extras
    return extras


def _needed(name: str, extras: set[str]) -> set[str]:
    """Return the packages that an installed one needs here, with the extras that are asked for."""
    return {
        canonicalize_name(each.name)
        for each in _asked(name)
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras)
    }
