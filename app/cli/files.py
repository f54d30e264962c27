"""Load policy files for the commands; errors name each file by the path that the user gave."""

from app.policies.load import load, load_untested
from app.policies.loaded import LoadedPolicies
from app.policies.source import Snapshot, Source
from app.yaml.problem import PolicyFileError


def loaded_from(source: Source, snapshot: Snapshot, *, tested: bool = True) -> LoadedPolicies:
    """Load a snapshot of `source`, and run its self-tests unless `tested` is False.

    Raises:
        PolicyFileError: the policies have errors; files are named by the path that the user gave.
    """
    try:
        return load(snapshot) if tested else load_untested(snapshot)
    except PolicyFileError as error:
        raise PolicyFileError(map(source.shown, error.problems)) from None
