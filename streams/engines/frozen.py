"""Hold a frozen contract to what its table was made under: it may not change within one major version."""

from __future__ import annotations

import json

from contracts.contract import Contract
from contracts.errors import ContractFrozen
from streams.connectors import delta


def refuse_changed(contract: Contract, uri: str) -> None:
    """Compare a frozen contract with the last commit of its silver table, at the start of every job that obeys it.

    Raises ContractFrozen if that was made under another content of the same major version. No table, nothing to compare.
    """
    if contract.mode != "freeze" or not delta.exists(uri):
        return
    told = next((past.metadata["facts"] for past in reversed(delta.history(uri)) if "facts" in past.metadata), None)
    if told is None:
        return
    facts = json.loads(told)
    declared = facts.get("declared_hash", facts["contract_hash"])
    if int(facts["contract_version"].split(".")[0]) == contract.major and declared != contract.hash:
        raise ContractFrozen(
            f"{contract.dataset} is frozen, and its content is no more what its silver table was made under",
            expected=f"version {facts['contract_version']} with hash {declared[:12]}; came {contract.contract_version} "
            f"with {contract.hash[:12]}",
            where=uri,
            remedy="give the change the next major version, with topics of its own, or take it back",
        )
