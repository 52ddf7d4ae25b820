"""A next release for tests: the same code with one more migration, which only adds to the schema."""

import shutil
from pathlib import Path

import service
from service.tables import SCHEMA_VERSION

SCHEMA = "0003_compatible_with_0002"
MIGRATION = f'''
import sqlalchemy as sa
from alembic import op

revision = "{SCHEMA}"
down_revision = "{SCHEMA_VERSION}"


def upgrade() -> None:
    op.add_column("sessions", sa.Column("title", sa.Text, nullable=False, server_default=""))
    op.create_index("sessions_by_change", "sessions", ["modified_at"])
    op.create_table("labels", sa.Column("name", sa.String(64), primary_key=True))
'''


def make_next_release(folder: Path) -> Path:
    """Make the folder one in which `python -m service` runs the next release."""
    copy = folder / "service"
    shutil.copytree(Path(service.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "migrations" / "versions" / f"{SCHEMA}.py").write_text(MIGRATION)
    tables = copy / "tables.py"
    own = f'SCHEMA_VERSION = "{SCHEMA_VERSION}"'
    assert own in tables.read_text()
    tables.write_text(tables.read_text().replace(own, f'SCHEMA_VERSION = "{SCHEMA}"'))
    return folder
