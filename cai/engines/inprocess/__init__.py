"""The parts of the in-process engine; `cai.engines.transformers` is its face."""

__all__: list[str] = []
