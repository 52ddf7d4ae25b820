"""The tables: the sessions, the counters of their ids and sequence numbers, and Idempotency-Keys."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

# The newest of migrations/.
SCHEMA_VERSION = "0002"

metadata = MetaData()

# SQLite stores a primary key in the row id only if its type is spelled INTEGER. Both types hold 64 bits.
_Id = BigInteger().with_variant(Integer, "sqlite")

sessions = Table(
    "sessions",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger, nullable=False),
    Column("context", Text, nullable=False),
    Column("sequence_number", BigInteger, nullable=False, unique=True),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("modified_at", BigInteger),
    Index("sessions_of_a_user", "user_id", "id"),
)

# One row. An id is never allocated again, even if its session was not created or has been deleted.
counters = Table(
    "allotted",
    metadata,
    Column("only_row", Integer, CheckConstraint("only_row = 1"), primary_key=True, autoincrement=False),
    Column("last_session_id", BigInteger, nullable=False),
    Column("last_sequence_number", BigInteger, nullable=False),
)

# A key outlives its session, so that a repeated create makes no second one. Until the session is inserted
# (`made_at`) one request at a time holds the key, and only until `claimed_until`, since its process may die.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("session_id", BigInteger, nullable=False),
    Column("claimed_until", Float(53), nullable=False),
    Column("made_at", BigInteger),
)

# Where Alembic records the schema.
alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
