"""Sessions, and the counters of their ids and sequence numbers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("context", sa.Text, nullable=False),
        sa.Column("sequence_number", sa.BigInteger, nullable=False, unique=True),
    )
    allotted = op.create_table(
        "allotted",
        sa.Column(
            "only_row", sa.Integer, sa.CheckConstraint("only_row = 1"), primary_key=True, autoincrement=False
        ),
        sa.Column("last_session_id", sa.BigInteger, nullable=False),
        sa.Column("last_sequence_number", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(allotted, [{"only_row": 1, "last_session_id": 0, "last_sequence_number": 0}])
