"""Let the requests and cells of rollups be found by their names, so that nothing has to read all of them.

Two hundred thousand names take some seconds. Read in pages, so that memory stays the same.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

from app.core.rollup import digest_of

revision = "0017"
down_revision = "0016"

_TOGETHER: Final = 10_000
_REQUESTS: Final = (
    "SELECT id, service, environment, change FROM rollup_requests WHERE id > :after ORDER BY id LIMIT :most"
)
_CELLS: Final = (
    "SELECT rollup_cells.id, service, environment, change, outcome, blocking FROM rollup_cells "
    "JOIN rollup_requests ON rollup_requests.id = rollup_cells.request "
    "WHERE rollup_cells.id > :after ORDER BY rollup_cells.id LIMIT :most"
)


def upgrade() -> None:
    """Add the digests, fill them, and index them."""
    for name, query in (("rollup_requests", _REQUESTS), ("rollup_cells", _CELLS)):
        op.add_column(name, sa.Column("digest", sa.BigInteger()))
        _fill(op.get_bind(), name, query)
        op.create_index(f"{name}_digest", name, ["digest"])


def _fill(connection: sa.Connection, name: str, query: str) -> None:
    table = sa.table(name, sa.column("id"), sa.column("digest"))
    change = sa.update(table).where(table.c.id == sa.bindparam("row")).values(digest=sa.bindparam("new"))
    after = 0
    while page := connection.execute(sa.text(query), {"after": after, "most": _TOGETHER}).all():
        connection.execute(change, [{"row": number, "new": digest_of(names)} for number, *names in page])
        after = page[-1][0]
