"""One config for every command: defined in `schema` and its sections, read by `load`."""

from cai.config.identity import asked, changed_keys
from cai.config.judging import JudgeConfig, ReasoningSamplingConfig
from cai.config.load import load_config, parse_config
from cai.config.loop import ConfirmConfig, ContrastConfig, RevisedConfig
from cai.config.models import EngineKind, ModelConfig, ModelsConfig, PriceConfig, VllmConfig
from cai.config.schema import (
    Config,
    CritiqueSamplingConfig,
    GateConfig,
    LoopConfig,
    MixConfig,
    OutputConfig,
    PromptsConfig,
    RuntimeConfig,
    SamplingConfig,
    SplitConfig,
    TemplatesConfig,
    ValidationConfig,
)

__all__ = [
    "Config",
    "ConfirmConfig",
    "ContrastConfig",
    "CritiqueSamplingConfig",
    "EngineKind",
    "GateConfig",
    "JudgeConfig",
    "LoopConfig",
    "MixConfig",
    "ModelConfig",
    "ModelsConfig",
    "OutputConfig",
    "PriceConfig",
    "PromptsConfig",
    "ReasoningSamplingConfig",
    "RevisedConfig",
    "RuntimeConfig",
    "SamplingConfig",
    "SplitConfig",
    "TemplatesConfig",
    "ValidationConfig",
    "VllmConfig",
    "asked",
    "changed_keys",
    "load_config",
    "parse_config",
]
