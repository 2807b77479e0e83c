"""One config for every command: `schema` defines it, `load` reads it, `identity` compares it."""

from cai.config.identity import asked, changed_keys
from cai.config.load import load_config, parse_config
from cai.config.schema import (
    Config,
    CritiqueSamplingConfig,
    JudgeConfig,
    LoopConfig,
    ModelConfig,
    ModelsConfig,
    OutputConfig,
    PromptsConfig,
    RuntimeConfig,
    SamplingConfig,
    SplitConfig,
    TemplatesConfig,
)

__all__ = [
    "Config",
    "CritiqueSamplingConfig",
    "JudgeConfig",
    "LoopConfig",
    "ModelConfig",
    "ModelsConfig",
    "OutputConfig",
    "PromptsConfig",
    "RuntimeConfig",
    "SamplingConfig",
    "SplitConfig",
    "TemplatesConfig",
    "asked",
    "changed_keys",
    "load_config",
    "parse_config",
]
