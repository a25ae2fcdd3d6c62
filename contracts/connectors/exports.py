"""Contracts in the formats of others, as datacontract-cli writes them. The only file that knows it.

Its exporters read the ODCS file; none knows our stream. So what our own targets say (JSON Schema, Delta, Feast, OpenLineage) is
not asked of it, and neither is what it cannot make of a contract whose servers are the settings' and not the file's. It takes
a second to load: import this where it is used.
"""

from __future__ import annotations

from datacontract.data_contract import DataContract
from datacontract.export.exporter import ExportFormat
from datacontract.model.exceptions import DataContractException

from contracts.contract import Contract
from contracts.errors import ContractInvalid, NotFound

PLAIN = (
    "avro",
    "data-caterer",
    "dbml",
    "dbt-models",
    "dbt-sources",
    "dbt-staging-sql",
    "dcs",
    "go",
    "html",
    "markdown",
    "mermaid",
    "odcs",
    "protobuf",
    "pydantic-model",
    "sodacl",
    "spark",
)
"""Formats that need nothing but the contract."""

BY_DIALECT = ("sql", "sql-query", "sqlalchemy")
"""Formats that are written for one database."""

DIALECTS = ("bigquery", "databricks", "duckdb", "mysql", "oracle", "postgres", "redshift", "snowflake", "sqlserver", "trino")

FORMATS = (*PLAIN, *BY_DIALECT)


def exported(contract: Contract, name: str, dialect: str = "postgres") -> str:
    """Return the contract as the format's text.

    Raises NotFound for a format that is none of `FORMATS`, ContractInvalid for a contract that the format has no words for.
    """
    if name not in FORMATS:
        raise NotFound(f"no such format: {name}", expected=", ".join(FORMATS))
    reader = DataContract(data_contract_str=contract.source, inline_references=False)
    kind = dialect if name in BY_DIALECT else "auto"
    try:
        text = reader.export(ExportFormat(name), sql_server_type=kind)
    except (DataContractException, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ContractInvalid(
            f"{name} has no words for a part of it: {type(error).__name__}", where=contract.dataset, remedy="another format"
        ) from error
    return text if isinstance(text, str) else text.decode()
