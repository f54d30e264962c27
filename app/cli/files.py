"""Policy files as the commands read them: what is wrong is told with the path as it was given."""

from app.policies.load import load, load_untested
from app.policies.loaded import LoadedPolicies
from app.policies.source import Snapshot, Source
from app.yaml.problem import PolicyFileError


def loaded_from(source: Source, snapshot: Snapshot, *, tested: bool = True) -> LoadedPolicies:
    """Load what was read from `source`; its self-tests are run unless `tested` is False.

    Raises:
        PolicyFileError: something is wrong; the files are named as the author named the path.
    """
    try:
        return load(snapshot) if tested else load_untested(snapshot)
    except PolicyFileError as error:
        raise PolicyFileError(map(source.shown, error.problems)) from None
