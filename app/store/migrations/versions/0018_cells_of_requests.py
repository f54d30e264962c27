"""Let the cells of a request be found, so that one that no cell has any more can be deleted at once."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the index; it takes a second for a million cells."""
    op.create_index("rollup_cells_request", "rollup_cells", ["request"])
