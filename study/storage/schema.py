"""Tables of a new study, and those of an existing one, which are brought to this version."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, inspect, select
from sqlalchemy.orm import Session

from enhancers import __version__
from study.domain.errors import StoreError
from study.domain.terms import Status
from study.storage import hash_chain, row_log, triggers
from study.storage.engine import MIGRATING, WRITING
from study.storage.migrations import migrate, stamp
from study.storage.models import SCHEMA_VERSION, Base, SchemaVersion, Study

MIGRATE = "migrate"
"""Action of the audit event of a migration, whose detail begins "tables from version"."""
CHAINED_SINCE = 3
"""Version of the tables from which on every row that is analysed is chained."""


def make_tables(connection: Connection, study: Study) -> None:
    """Make the tables, triggers and views of a new study, and its first rows."""
    if inspect(connection).has_table(Study.__tablename__):
        raise StoreError("This database holds a study already: open it, or give another database.")
    Base.metadata.create_all(connection)
    triggers.install(connection)
    stamp(connection, SCHEMA_VERSION)
    with Session(connection, join_transaction_mode="rollback_only") as session:
        session.add(SchemaVersion(version=SCHEMA_VERSION, app_version=__version__))
        session.add(study)
        session.flush()
        session.info[hash_chain.STUDY_ID] = study.id
        hash_chain.audit(session, "coordinator", "create", target=study.code)
        session.commit()


def bring_up_to_date(engine: Engine, *, logged: bool = True) -> None:
    """Migrate the tables of an older version, in one transaction.

    Parameters
    ----------
    engine : Engine
    logged : bool
        Whether the audit log records it; not for a temporary copy.

    Raises
    ------
    StoreError
        The database holds no study, or one of a newer version of the program.
    """
    if table_version(engine) == SCHEMA_VERSION:
        return
    with engine.execution_options(**{WRITING: True, MIGRATING: True}).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("LOCK TABLE schema_version IN ACCESS EXCLUSIVE MODE")
        with Session(connection, join_transaction_mode="rollback_only") as session:
            # Another process may have migrated it meanwhile.
            found = session.scalars(select(SchemaVersion.version)).one()
            if found < SCHEMA_VERSION:
                migrate(connection, found, SCHEMA_VERSION)
                if logged:
                    session.info[hash_chain.STUDY_ID] = only_study(session)
                    log_migration(session, found)
            session.commit()


def log_migration(session: Session, version: int) -> None:
    """Write a migration from a version into the audit log, and chain what was not chained then."""
    if version < CHAINED_SINCE and session.scalars(select(Study.status)).one() != Status.DRAFT:
        row_log.append_all(session)
    detail = f"tables from version {version} to {SCHEMA_VERSION}, by {__version__}"
    hash_chain.audit(session, "coordinator", MIGRATE, detail=detail)


def table_version(engine: Engine) -> int:
    """The version of the tables.

    Raises
    ------
    StoreError
        The database holds no study, or one that this program can neither use nor migrate.
    """
    if not inspect(engine).has_table(SchemaVersion.__tablename__):
        raise StoreError("This database holds no study. Make one: python -m study init DIR.")
    with Session(engine) as session:
        version = session.execute(select(SchemaVersion.version, SchemaVersion.app_version)).first()
    if version is None or version[0] not in range(1, SCHEMA_VERSION + 1):
        found, made_by = version or ("unknown", "unknown")
        raise StoreError(
            f"This study has tables of version {found}, made by Reading Room {made_by}; this is "
            f"{__version__} with version {SCHEMA_VERSION}. Use the program that made the study."
        )
    return int(version[0])


def only_study(session: Session) -> str:
    """The identifier of the study in a database."""
    found = session.scalars(select(Study.id)).all()
    if len(found) != 1:
        raise StoreError(f"This database holds {len(found)} studies instead of one.")
    return found[0]
