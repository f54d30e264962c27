"""`make dist`: what it writes, the same bytes each time, and the bill of materials by its schema."""

import hashlib
import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from app import __version__
from release.__main__ import CHECKSUMS, build
from release.sbom import OPTIONAL, REQUIRED, bill_of_materials, pins
from tests.live.gate import ROOT

BUILT = 1_796_000_000
LOCKS = ROOT / "requirements"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(bill_of_materials(LOCKS, __version__, BUILT))
    return parsed


def test_two_builds_have_the_same_bytes(tmp_path: Path) -> None:
    one, another = (build(tmp_path / name, BUILT) for name in ("one", "another"))
    stem = f"freezegate-{__version__}"
    assert {file.name for file in one} == {
        f"{stem}-py3-none-any.whl",
        f"{stem}.tar.gz",
        f"{stem}.cdx.json",
        CHECKSUMS,
    }
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in another]
    for line in (tmp_path / "one" / CHECKSUMS).read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / "one" / name).read_bytes()).hexdigest() == digest


def test_a_folder_with_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old.whl").touch()
    with pytest.raises(SystemExit, match="is not empty"):
        build(tmp_path, BUILT)


def test_the_bill_is_valid_by_the_schema(document: dict[str, Any]) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(document)) is None
    wrong = {**document, "components": [{**document["components"][0], "type": "package"}]}
    assert validator.validate_str(json.dumps(wrong)) is not None


def test_the_bill_has_every_locked_package_with_its_hashes(document: dict[str, Any]) -> None:
    components = {each["bom-ref"]: each for each in document["components"]}
    assert set(components) == {pin.ref for pin in pins(LOCKS / OPTIONAL)}
    required = {ref for ref, each in components.items() if each["scope"] == "required"}
    assert required == {pin.ref for pin in pins(LOCKS / REQUIRED)}
    for file in (REQUIRED, OPTIONAL):
        text = (LOCKS / file).read_text()
        assert len(pins(LOCKS / file)) == len(re.findall(r"^\S+==", text, re.MULTILINE))
        assert sum(len(pin.hashes) for pin in pins(LOCKS / file)) == text.count("--hash=sha256:")
    for pin in pins(LOCKS / OPTIONAL):
        assert {each["content"] for each in components[pin.ref]["hashes"]} == set(pin.hashes)
        assert components[pin.ref]["purl"] == f"pkg:pypi/{pin.name}@{pin.version}"


def test_the_bill_names_a_license_for_every_package_and_who_needs_it(document: dict[str, Any]) -> None:
    assert not [each["name"] for each in document["components"] if not each.get("licenses")]
    needs = {each["ref"]: each.get("dependsOn", []) for each in document["dependencies"]}
    reached, left = set[str](), ["freezegate"]
    while left:
        reached.add(ref := left.pop())
        left += [each for each in needs[ref] if each not in reached]
    installed_elsewhere = {each["bom-ref"] for each in document["components"] if each.get("properties")}
    assert {each["bom-ref"] for each in document["components"]} - reached <= installed_elsewhere
    assert f"fastapi=={version('fastapi')}" in needs["freezegate"]
    assert f"starlette=={version('starlette')}" in needs[f"fastapi=={version('fastapi')}"]
