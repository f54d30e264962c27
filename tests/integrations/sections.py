"""A section of the integrations file for every vendor that has routes."""

import json
from pathlib import Path
from typing import Any

from tests.integrations.github.fake import APP_ID, SECRET, private_pem

SECTIONS: dict[str, dict[str, Any]] = {
    "github": {
        "app_id": APP_ID,
        "private_key": private_pem(),
        "secret": SECRET,
        "api": "http://127.0.0.1:9",  # nothing is there
        "deployments": [{"repository": "acme/*", "environment": "production"}],
    },
    "azure-devops": {"secret": "the-secret-of-the-checks"},
    "flagger": {
        "secret": "flagger-token",
        "deployments": [{"service": "{canary}", "environment": "production"}],
    },
    "gitlab": {
        "secret": "the-secret-of-the-webhook",
        "deployments": [
            {
                "project": "acme/*",
                "job": "deploy",
                "service": "{name}",
                "environment": "production",
                "token": "glpat-x",
            }
        ],
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
