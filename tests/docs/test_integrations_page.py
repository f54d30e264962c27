"""The example of the page on the integrations file can be read."""

import re
from pathlib import Path

from app.integrations.integrations import read_integrations_file
from tests.docs.reference import FOLDER


def test_the_example_of_the_integrations_file_is_one(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", (FOLDER / "integrations-file.md").read_text(), re.DOTALL)
    (tmp_path / "callback-secret").write_text("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n")
    file = tmp_path / "integrations.yaml"
    file.write_text(example.replace("/run/secrets", str(tmp_path)))
    file.chmod(0o600)
    assert set(read_integrations_file(file, {"FLAGGER_TOKEN": "the-token-of-flagger"})) == {
        "callback",
        "flagger",
    }
