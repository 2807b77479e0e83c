"""The parts of the engine that asks a server; `cai.engines.openai` is its face."""

__all__: list[str] = []
