"""Tables of a new study, and whether those of an existing one are of this version."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, inspect, select
from sqlalchemy.orm import Session

from enhancers import __version__
from study.domain.errors import StoreError
from study.storage import hash_chain, triggers
from study.storage.models import SCHEMA_VERSION, Base, SchemaVersion, Study


def make_tables(connection: Connection, study: Study) -> None:
    """Make the tables, triggers and views of a new study, and its first rows."""
    if inspect(connection).has_table(Study.__tablename__):
        raise StoreError("This database holds a study already: open it, or give another database.")
    Base.metadata.create_all(connection)
    triggers.install(connection)
    with Session(connection, join_transaction_mode="rollback_only") as session:
        session.add(SchemaVersion(version=SCHEMA_VERSION, app_version=__version__))
        session.add(study)
        session.flush()
        session.info[hash_chain.STUDY_ID] = study.id
        hash_chain.audit(session, "coordinator", "create", target=study.code)
        session.commit()


def check_version(engine: Engine) -> None:
    """Refuse a database without a study, or of another version of the program."""
    if not inspect(engine).has_table(SchemaVersion.__tablename__):
        raise StoreError("This database holds no study. Make one: python -m study init DIR.")
    with Session(engine) as session:
        version = session.execute(select(SchemaVersion.version, SchemaVersion.app_version)).first()
    if version is None or version[0] != SCHEMA_VERSION:
        found, made_by = version or ("unknown", "unknown")
        raise StoreError(
            f"This study has tables of version {found}, made by Reading Room {made_by}; this is "
            f"{__version__} with version {SCHEMA_VERSION}. Use the program that made the study."
        )


def only_study(session: Session) -> str:
    """The identifier of the study in a database."""
    found = session.scalars(select(Study.id)).all()
    if len(found) != 1:
        raise StoreError(f"This database holds {len(found)} studies instead of one.")
    return found[0]
