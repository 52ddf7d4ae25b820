"""Versions of sessions, an index by user, and Idempotency-Keys.

A process of the previous release can use this schema until it is replaced: new columns have defaults.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("sessions", sa.Column("version", sa.BigInteger, nullable=False, server_default=sa.text("1")))
    op.add_column("sessions", sa.Column("modified_at", sa.BigInteger))
    op.create_index("sessions_of_a_user", "sessions", ["user_id", "id"])
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("session_id", sa.BigInteger, nullable=False),
        sa.Column("claimed_until", sa.Float(53), nullable=False),
        sa.Column("made_at", sa.BigInteger),
    )
