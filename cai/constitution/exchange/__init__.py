"""Constitutions in other people's layouts: read them, and write them.

| layout | where it comes from |
| --- | --- |
| `cai-paper` | the Constitutional AI paper's repository; NeMo-Aligner |
| `llm-swarm` | llm-swarm's Constitutional AI recipe |
| `open-character`, `open-character-jsonl` | Open Character Training, hand-written and generated |
| `icai` | annotated pairs of Inverse Constitutional AI |
| `text`, `markdown` | lists that people write |
"""

from cai.constitution.exchange.chats import chats_of, questions_of
from cai.constitution.exchange.convert import Imported, import_constitution
from cai.constitution.exchange.export import Exported, export_constitution
from cai.constitution.exchange.layouts import LAYOUTS, Layout
from cai.constitution.exchange.source import read_source

__all__ = [
    "LAYOUTS",
    "Exported",
    "Imported",
    "Layout",
    "chats_of",
    "export_constitution",
    "import_constitution",
    "questions_of",
    "read_source",
]
