"""The table and the JSON of the services that are measured for comparison."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from sqlalchemy import BigInteger, Integer, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_Id = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    pass


class SessionRow(Base):
    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger)
    context: Mapped[str] = mapped_column(Text)
    sequence_number: Mapped[int | None] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(BigInteger, default=1)


class _Payload(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class SessionRequest(_Payload):
    user_id: int
    context: str = ""


class SessionUpdateRequest(_Payload):
    context: str


class SessionResponse(_Payload):
    session_id: int
    user_id: int
    context: str


class SessionContextResponse(_Payload):
    session_id: int
    context: str


def to_response(row: SessionRow) -> SessionResponse:
    return SessionResponse(session_id=row.id, user_id=row.user_id, context=row.context)
