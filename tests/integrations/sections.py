"""A section of the integrations file for every vendor that has routes."""

import json
from collections.abc import Iterable
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
    "buildkite": {
        "organization": "acme",
        "secret": "the-token-of-the-webhook",
        "token": "bkua_x",
        "deployments": [{"service": "{pipeline}", "environment": "production"}],
    },
    "flagger": {
        "secret": "the-token-of-flagger",
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
        "secret": "the-hmac-key-of-the-run-task",
        "deployments": [{"service": "{workspace}", "environment": "production"}],
    },
}
"""A complete section of each vendor, by its name; `{folder}` in a text is the folder of the file."""


_FREEZES: list[dict[str, Any]] = [
    {"name": "sev1", "match": {"severity": ["critical", "sev1"]}, "environments": ["production"]},
    {"name": "p1", "match": [{"priority": "P1"}, {"urgency": "high"}], "life": "2h"},
    {"name": "payments", "match": {"labels": {"team": "payments"}}, "services": ["checkout"]},
]

SECTIONS |= {
    "alertmanager": {"token": "token-of-alertmanager", "freezes": _FREEZES},
    "pagerduty": {"secret": "secret-of-pagerduty", "freezes": _FREEZES},
    "incident-io": {"secret": "whsec_aW5jaWRlbnQuaW8gc2lnbnM=", "freezes": _FREEZES},
    "rootly": {"secret": "secret-of-rootly", "freezes": _FREEZES},
    "jira": {"secret": "a-secret-of-jira", "freezes": _FREEZES},
    "webhook": {"secret": "whsec_YSB3ZWJob29rIHNpZ25z", "freezes": _FREEZES},
}


def integrations_file(folder: Path, names: Iterable[str] = SECTIONS) -> Path:
    """Write an integrations file with the sections of these names, or with all, into a folder."""
    file = folder / "integrations.yaml"
    sections = {name: SECTIONS[name] for name in names}
    file.write_text(json.dumps(sections).replace("{folder}", str(folder)))
    file.chmod(0o600)
    return file
