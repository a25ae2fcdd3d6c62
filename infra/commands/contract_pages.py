"""`headwater contract show`, `export` and `docs`: what a contract compiles to, for people and for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from contracts.contract import Catalog, Contract
from contracts.errors import NotFound
from infra.output import json_option, result
from infra.settings import Settings

TARGETS = ("summary", "rules", "arrow", "delta", "json-schema", "feast", "openlineage", "masking")

SHOW_EXAMPLE = """\b
Examples:
  headwater contract show flights.departed
  headwater contract show flights.departed --target rules
  headwater contract show docs.pages --target json-schema > pages.schema.json
"""
EXPORT_EXAMPLE = """\b
Examples:
  headwater contract export flights.departed avro
  headwater contract export flights.departed sql --dialect snowflake
"""
DOCS_EXAMPLE = """\b
Examples:
  headwater contract docs                            a page per contract, and an index
  headwater contract docs flights.departed --out site
"""


@click.command(epilog=SHOW_EXAMPLE)
@click.argument("dataset")
@click.option("--target", type=click.Choice(TARGETS), default="summary", show_default=True, help="What to show it as.")
@json_option
@click.pass_obj
def show(settings: Settings, dataset: str, target: str, json_wanted: bool) -> None:
    """Show what a contract compiles to: its rules in words, schemas, plans."""
    from infra.commands import contract_targets

    data, text = contract_targets.TARGETS[target](_contract(settings, dataset))
    result(data, json_wanted, text)


@click.command(epilog=EXPORT_EXAMPLE)
@click.argument("dataset")
@click.argument("form", metavar="FORMAT")
@click.option("--dialect", default="postgres", show_default=True, help="Database that sql and sqlalchemy are written for.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write [stdout].")
@json_option
@click.pass_obj
def export(settings: Settings, dataset: str, form: str, dialect: str, out: Path | None, json_wanted: bool) -> None:
    r"""Write a contract in another tool's format, by datacontract-cli.

    \b
    FORMAT is one of: avro, data-caterer, dbml, dbt-models, dbt-sources, dbt-staging-sql, dcs, go, html, markdown,
    mermaid, odcs, protobuf, pydantic-model, sodacl, spark, sql, sql-query, sqlalchemy. What our own stream reads
    (JSON Schema, Delta, Feast, OpenLineage) is told by: headwater contract show.
    """
    from contracts.connectors.exports import exported

    text = exported(_contract(settings, dataset), form, dialect)
    if out is not None:
        out.write_text(text, "utf-8")
    said = text if out is None else f"{out}: {len(text.encode()):,} bytes"
    result({"dataset": dataset, "format": form, "file": out, "text": text if out is None else None}, json_wanted, said)


@click.command(epilog=DOCS_EXAMPLE)
@click.argument("datasets", nargs=-1)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder to write [<home>/contract-docs].")
@json_option
@click.pass_obj
def docs(settings: Settings, datasets: tuple[str, ...], out: Path | None, json_wanted: bool) -> None:
    """Write a page of HTML per contract, and an index of them: complete in themselves, nothing is loaded from elsewhere."""
    from contracts.docs_page import index_page, page

    chosen = [_contract(settings, name) for name in datasets] or list(_catalog(settings))
    folder = out or settings.home / "contract-docs"
    folder.mkdir(parents=True, exist_ok=True)
    texts = {f"{contract.dataset}.html": page(contract) for contract in chosen} | {"index.html": index_page(chosen)}
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    files = [str(folder / name) for name in texts]
    result({"files": files}, json_wanted, "\n".join([*files, f"open {folder / 'index.html'} in a browser"]))


def _catalog(settings: Settings) -> Catalog:
    from contracts.connectors.files import load_catalog

    return load_catalog(settings.contracts)


def _contract(settings: Settings, dataset: str) -> Contract:
    catalog = _catalog(settings)
    if dataset not in catalog.contracts:
        raise NotFound(f"no contract for {dataset!r}", expected=f"one of {', '.join(sorted(catalog.contracts))}")
    return catalog.contracts[dataset]
