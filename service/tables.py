"""The tables: sessions, the numbers allotted so far, and the keys of creates that may be repeated."""

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

# The newest in migrations/.
SCHEMA_VERSION = "0002"

metadata = MetaData()

# SQLite makes only a column spelt INTEGER the key of the row itself; both hold 64 bits.
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

# One row. An id that was ever allotted stays so, whether its session came to be, is, or was deleted.
allotted = Table(
    "allotted",
    metadata,
    Column("only_row", Integer, CheckConstraint("only_row = 1"), primary_key=True, autoincrement=False),
    Column("last_session_id", BigInteger, nullable=False),
    Column("last_sequence_number", BigInteger, nullable=False),
)

# A key outlives its session: a create that is repeated later must not make another. Until the session is
# made, one request at a time has the key, and not for ever: its process may be gone.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("session_id", BigInteger, nullable=False),
    Column("claimed_until", Float(53), nullable=False),
    Column("made_at", BigInteger),
)

# Alembic's own, where it notes the schema.
alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
