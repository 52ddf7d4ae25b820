"""The tables: sessions, the numbers allotted so far, and the version of the schema."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, MetaData, String, Table, Text

# The name and column are Alembic's own, so that it knows a database made by any release.
SCHEMA_VERSION = "0001"

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
)

# One row. An id that was ever allotted stays so, whether or not its session came to be.
allotted = Table(
    "allotted",
    metadata,
    Column("only_row", Integer, CheckConstraint("only_row = 1"), primary_key=True, autoincrement=False),
    Column("last_session_id", BigInteger, nullable=False),
    Column("last_sequence_number", BigInteger, nullable=False),
)

alembic_version = Table("alembic_version", metadata, Column("version_num", String(32), primary_key=True))
