"""No state of the files is ever in force that nobody wrote: no half of a file, no mix of two versions."""

import itertools
from pathlib import Path
from threading import Thread

import pytest

from app.core.decision import Question
from app.core.instant import parse_instant
from app.gate.in_force import LoadFailure, Policies
from app.policies.source import Source
from tests.live.gate import ROOT

# Counted line by line, it takes twice as long and covers no line that nothing else does.
pytestmark = pytest.mark.no_cover

NOW = parse_instant("2026-11-27T13:05:00Z")
SWAPS = 10_000

EMPTY = "version: 1\npolicies: []\n"
FROZEN = """version: 1
policies:
  - {id: closed, title: Closed, reason: A test., when: [{always: true}]}
"""


def shipped_files() -> list[Path]:
    """The policy files of this repository that people copy."""
    found = [ROOT / "policies.yaml", *sorted(ROOT.glob("deploy/**/policies.yaml"))]
    return [file for file in found if "kind: ConfigMap" not in file.read_text()]


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("shipped", shipped_files(), ids=lambda path: path.parent.name)
def test_no_half_of_a_shipped_file_is_ever_in_force(shipped: Path, step: int, tmp_path: Path) -> None:
    text, file = shipped.read_bytes(), tmp_path / "policies.yaml"
    file.write_bytes(text)
    policies = Policies()
    whole = policies.load(Source(file), NOW)
    # The end of a line above all: there, a half is most likely good YAML.
    ends = {place + 1 for place, each in enumerate(text) if each == ord("\n")}
    for length in sorted({*range(0, len(text), step), *ends} - {len(text)}):
        with file.open("wb") as writing:
            writing.write(text[:length])
            writing.flush()
            assert policies.poll(NOW) is None
            writing.write(text[length:])
        assert policies.poll(NOW) is None
    assert policies.in_force is whole
    assert policies.last_error is None


def test_a_changed_file_is_taken_when_two_polls_find_it_equal(tmp_path: Path) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text(EMPTY)
    policies = Policies()
    before = policies.load(Source(file), NOW)
    for text in (FROZEN, f"{FROZEN}# more\n", "policies: nonsense\n", FROZEN):
        file.write_text(text)
        assert policies.poll(NOW) is None
        assert policies.in_force is before
    taken = policies.poll(NOW)
    assert taken is policies.in_force
    assert taken is not before
    file.write_text("policies: nonsense\n")
    assert policies.poll(NOW) is None
    assert policies.last_error is None
    assert isinstance(policies.poll(NOW), LoadFailure)
    assert policies.in_force is taken


def test_ten_thousand_swaps_never_put_a_mix_in_force(tmp_path: Path) -> None:
    """In each version one of two files freezes everything; a mix of two versions would freeze nothing."""
    first = folder_of(tmp_path / "first", {"a.yaml": FROZEN, "b.yaml": EMPTY})
    second = folder_of(tmp_path / "second", {"a.yaml": EMPTY, "b.yaml": FROZEN})
    written = {Source(folder).read().revision for folder in (first, second)}
    mount = tmp_path / "mount"
    mount.mkdir()
    (mount / "..data").symlink_to(first)
    for name in ("a.yaml", "b.yaml"):
        (mount / name).symlink_to(Path("..data", name))
    policies = Policies()
    policies.load(Source(mount), NOW)

    def swap() -> None:
        targets = itertools.cycle((second, first))
        for _ in range(SWAPS):
            (mount / "..data_tmp").symlink_to(next(targets))
            (mount / "..data_tmp").rename(mount / "..data")

    swapping = Thread(target=swap)
    swapping.start()
    seen = {policies.in_force.revision}
    while swapping.is_alive():
        policies.poll(NOW)
        seen.add(policies.in_force.revision)
        assert not policies.in_force.engine.decide(Question("api"), NOW).allowed
    swapping.join()
    assert seen <= written
    for _ in range(2):
        policies.poll(NOW)
    assert policies.in_force.revision == Source(mount).read().revision
    assert policies.last_error is None


def folder_of(folder: Path, texts: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder
