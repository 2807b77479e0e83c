"""What the `datasets` library wants to know of an export: the front matter of the card.

The keys: huggingface.co/docs/hub/datasets-manual-configuration for `configs`, and
`datasets.DatasetInfo` for `dataset_info`, whose `num_bytes` is the size of the Arrow columns in
memory. With both, `datasets.load_dataset(folder)` finds every table with its types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.formats.layouts import LAYOUTS
from cai.store.export_schema import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

__all__ = ["configs_of", "dataset_info", "features_of"]

_FIRST = ("preferences", "sft", "undecided")


def configs_of(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tables that are not empty, each with its file per split; Parquet where there is a choice.

    The library reads all tables of a folder with one reader. Where some are Parquet, one that is
    JSONL alone is therefore left out; it loads by the path of its file.
    """
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for file in manifest["files"]:
        split, _, base = file["name"].rpartition("/")
        table, _, ending = base.partition(".")
        key = (table, split or "train")
        if file["rows"] and (key not in best or ending == "parquet"):
            best[key] = {"split": key[1], "path": file["name"], **file}
    tables = dict.fromkeys((*_FIRST, *(t for facts in LAYOUTS.values() for t in facts.tables)))
    found = [
        {"name": t, "files": [f for (name, _), f in best.items() if name == t]} for t in tables
    ]
    full = [config for config in found if config["files"]]
    typed = [config for config in full if _is_parquet(config)]
    return typed or full


def dataset_info(configs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Features and splits of every table that is in Parquet files."""
    infos = []
    for config in configs:
        files = config["files"]
        if _is_parquet(config):
            splits = [
                {
                    "name": file["split"],
                    "num_bytes": file["arrow_bytes"],
                    "num_examples": file["rows"],
                }
                for file in files
            ]
            infos.append(
                {
                    "config_name": config["name"],
                    "features": features_of(SCHEMAS[config["name"]]()),
                    "splits": splits,
                    "download_size": sum(file["bytes"] for file in files),
                    "dataset_size": sum(split["num_bytes"] for split in splits),
                }
            )
    return infos


def _is_parquet(config: Mapping[str, Any]) -> bool:
    return all(file["path"].endswith(".parquet") for file in config["files"])


def features_of(schema: pa.Schema) -> list[dict[str, Any]]:
    """The columns of a schema as `dataset_info` writes them."""
    return [{"name": field.name, **_feature(field.type)} for field in schema]


def _feature(kind: pa.DataType) -> dict[str, Any]:
    import pyarrow as pa

    if pa.types.is_list(kind):
        inner = _feature(kind.value_type)
        return {"list": inner.get("dtype", inner.get("struct", inner))}
    if pa.types.is_struct(kind):
        return {"struct": features_of(kind)}
    names = {pa.float64(): "float64", pa.bool_(): "bool"}
    return {"dtype": names.get(kind, str(kind))}
