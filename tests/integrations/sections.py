"""A section of the integrations file for every vendor that has routes."""

import json
from pathlib import Path
from typing import Any

SECTIONS: dict[str, dict[str, Any]] = {
    "flagger": {
        "secret": "flagger-token",
        "deployments": [{"service": "{canary}", "environment": "production"}],
    },
    "hcp-terraform": {
        "secret": "the-hmac-key",
        "deployments": [{"service": "{workspace}", "environment": "production"}],
    },
}
"""A complete section of each vendor, by its name; `{folder}` in a text is the folder of the file."""


def integrations_file(folder: Path) -> Path:
    """Write an integrations file with all sections into a folder."""
    file = folder / "integrations.yaml"
    file.write_text(json.dumps(SECTIONS).replace("{folder}", str(folder)))
    file.chmod(0o600)
    return file
