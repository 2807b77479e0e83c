"""The config file: reading, checking, and what of it a stored run holds on to."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cai.cli.init import config_schema
from cai.config import Config, asked, changed_keys, load_config, parse_config
from cai.errors import ConfigError
from cai.yaml import read_yaml

MINIMAL: Mapping[str, Any] = {"prompts": {"path": "p.txt"}}


def write(folder: Path, text: str | bytes, name: str = "cai.yaml") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def message(path: Path, **overrides: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return str(caught.value)


def sections(kind: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo, Any]]:
    """Every field of the config with its dotted key and the type of its value, `None` left out."""
    for field, info in kind.model_fields.items():
        name = info.alias or field
        inner = [a for a in get_args(info.annotation) if a is not type(None)]
        nullable = type(None) in get_args(info.annotation)
        annotation = inner[0] if nullable else info.annotation
        yield f"{prefix}{name}", info, annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from sections(annotation, f"{prefix}{name}.")


def runtime_keys() -> set[str]:
    return {
        key
        for key, info, _ in sections(Config)
        if isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("x-runtime")
    }


def is_runtime(key: str) -> bool:
    return any(key == marked or key.startswith(f"{marked}.") for marked in runtime_keys())


def other_value(info: FieldInfo, annotation: Any, now: Any) -> Any:
    """A valid value that differs from the one that the config has now."""
    if get_origin(annotation) is tuple:
        return list(now)[:1]
    if get_origin(annotation) is Literal:
        return next((v for v in get_args(annotation) if v != now), None)
    if annotation is bool:
        return not now
    if annotation is str:
        return "another"
    low = next((m.ge for m in info.metadata if isinstance(m, Ge)), 0)
    high = next((m.le for m in info.metadata if isinstance(m, Le)), None)
    if get_origin(annotation) is dict:
        return {"another": {"input": 1, "output": 2}}
    if annotation is int:
        return now + 1 if now is not None and now != high else low
    assert annotation is float
    strict = any(isinstance(m, Gt) for m in info.metadata)
    return now / 2 if now else (0.25 if strict or high else low + 0.25)


def put(data: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    *parents, leaf = key.split(".")
    target = data
    for part in parents:
        target[part] = target.get(part) or {}
        target = target[part]
    target[leaf] = value
    return data


def value_at(config: Config, key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        fields = {info.alias or name: name for name, info in type(value).model_fields.items()}
        value = getattr(value, fields[part])
    return value


# All roles are named, so that their keys exist; one policy would stand in for them otherwise. The
# engine is the one that takes `batch`.
FULL: Mapping[str, Any] = {
    **MINIMAL,
    "models": {
        role: {"engine": "openai"} for role in ("policy", "critic", "judge", "fallback_judge")
    },
}
# Values that cannot be made up from the type alone.
OTHERS: Mapping[str, Any] = {
    "models.judges": [{"engine": "openai", "model": "m"}],
    "prompts.mix": [{"path": "helpful.txt", "share": 0.5}],
    "loop.unrevised": ["helpful"],
    "judge.clamp": [0.2, 0.8],
    "judge.fallback_on": ["refused", "tie"],
    "pipeline.check.fail_on": ["pii"],
    "pipeline.check.against": ["test.jsonl"],
    "pipeline.train": [{"name": "sft", "method": "sft"}],
    "pipeline.evaluate.subjects": ["policy"],
}
LEAVES = [
    (key, info, annotation)
    for key, info, annotation in sections(Config)
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel))
]


def changed_config(key: str, info: FieldInfo, annotation: Any) -> tuple[Config, Config]:
    before = parse_config(json.loads(json.dumps(FULL)))
    value = OTHERS.get(key) or other_value(info, annotation, value_at(before, key))
    after = parse_config(put(json.loads(json.dumps(FULL)), key, value))
    assert value_at(after, key) != value_at(before, key)
    return before, after


@pytest.mark.parametrize(("key", "info", "annotation"), LEAVES, ids=[key for key, _, _ in LEAVES])
def test_a_stored_run_holds_on_to_exactly_what_is_not_run_time(key, info, annotation):
    if key in ("format", "pipeline.rounds"):  # has one value only, or needs a training
        return
    before, after = changed_config(key, info, annotation)
    expected = () if is_runtime(key) else (key,)
    assert changed_keys(asked(before), asked(after)) == expected


def test_the_run_time_keys_are_the_ones_that_are_promised():
    assert runtime_keys() == {
        *("run", "validation", "output", "runtime", "prices", "pipeline", "prompts.limit"),
        *(
            f"models.{role}.{name}"
            for role in ("policy", "critic", "judge", "fallback_judge")
            for name in (
                *("base_url", "api_key_env", "timeout_s", "billing", "batch", "device"),
                *("requests_per_minute", "tokens_per_minute", "batch_size"),
                *("vllm.tensor_parallel_size", "vllm.data_parallel_size", "vllm.kv_cache_gb"),
                *("vllm.gpu_memory_utilization", "vllm.enforce_eager"),
            )
        ),
    }


def test_asked_is_plain_and_flat():
    keys = asked(parse_config(dict(MINIMAL)))
    assert keys["loop.pairs"] == ["revision", "samples"]
    assert keys["loop.critique.max_tokens"] == 256
    assert keys["models.critic"] is None
    assert json.loads(json.dumps(keys)) == keys


def test_keys_that_came_later_count_only_where_they_differ():
    """A stored run that knows nothing of them goes on as it was."""
    keys = asked(parse_config(dict(MINIMAL)))
    new = ("judge.mode", "judge.clamp", "judge.reasoning.max_tokens", "models.judges")
    assert not any(key in keys for key in (*new, "models.fallback_judge", "templates.score"))
    judge = {"clamp": [0.3, 0.7], "reasoning": {"max_tokens": 9}}
    panel = [{"engine": "openai", "model": "m", "batch_size": 3}]
    changed = asked(parse_config({**MINIMAL, "judge": judge, "models": {"judges": panel}}))
    assert changed_keys(keys, changed) == (
        "judge.clamp",
        "judge.reasoning.max_tokens",
        "models.judges",
    )
    assert changed["models.judges"][0]["model"] == "m"
    assert "batch_size" not in changed["models.judges"][0]
    assert json.loads(json.dumps(changed)) == changed


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ({"judge": {"clamp": [0.4, 0.7]}}, "must have 0.5 in its middle"),
        ({"judge": {"clamp": [0.6, 0.4]}}, "must have 0.5 in its middle"),
        ({"judge": {"mode": "reasoning", "tie_band": 0.1}}, "every verdict would be a tie"),
        ({"judge": {"aggregate": "weighted"}}, "count weights twice"),
        ({"models": {"judges": [{"model": "m"}, {"model": "m"}]}}, "names m twice"),
    ],
)
def test_settings_of_the_judge_that_make_no_sense_are_refused(sections, says):
    with pytest.raises(ConfigError, match=says):
        parse_config({**MINIMAL, **sections})


def test_naming_a_role_is_a_change():
    policy = {"policy": FULL["models"]["policy"]}
    before, after = parse_config({**MINIMAL, "models": policy}), parse_config(dict(FULL))
    changed = changed_keys(asked(before), asked(after))
    assert "models.critic" in changed
    assert "models.judge.model" in changed
    assert not any(key.startswith("models.policy") for key in changed)


def test_changed_keys_names_what_is_new_gone_or_different():
    assert changed_keys({"a": 1, "b": 2, "c": None}, {"b": 3, "c": None, "d": 4}) == ("a", "b", "d")
    assert changed_keys({"a": None}, {}) == ("a",)


def test_every_key_is_described_in_the_schema():
    schema = json.loads(config_schema())
    models = [schema, *schema["$defs"].values()]
    assert len(models) > 10
    for model in models:
        assert model["additionalProperties"] is False
        for key, field in model["properties"].items():
            # Pydantic leaves out what the section itself says in the same words.
            target = schema["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
            described = field.get("description") or target.get("description", "")
            assert len(described.split()) > 1, f"{model['title']}.{key}"


def test_defaults_are_valid_under_the_schema():
    import jsonschema

    schema = json.loads(config_schema())
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(json.loads(parse_config(dict(FULL)).model_dump_json()))
    assert list(validator.iter_errors({**MINIMAL, "lopp": {}}))


def test_reading_keeps_the_plain_types(tmp_path):
    path = write(tmp_path, "a: 1\nb: [x, 2.5, true, null]\nc: {d: 'é'}\n")
    assert read_yaml(path) == {"a": 1, "b": ["x", 2.5, True, None], "c": {"d": "é"}}


def test_files_of_other_editors_can_be_read(tmp_path):
    path = write(tmp_path, b"\xef\xbb\xbfrun: x\r\nloop: {seed: 1}\r\n")
    assert read_yaml(path) == {"run": "x", "loop": {"seed": 1}}


def test_overrides_win_and_make_their_sections(tmp_path):
    path = write(tmp_path, "prompts: {path: p.txt, limit: 5}\n")
    overrides = {"prompts.limit": 2, "runtime.concurrency": 3, "models.policy.engine": "scripted"}
    config = load_config(str(path), overrides)
    assert config.prompts.limit == 2
    assert config.runtime.concurrency == 3
    assert config.models.policy.engine == "scripted"
    assert load_config(path).prompts.limit == 5
    path = write(tmp_path, "prompts: {path: p.txt}\nruntime:\n")
    assert load_config(path, {"runtime.concurrency": 3}).runtime.concurrency == 3


def test_an_override_inside_a_wrong_section_reports_the_section(tmp_path):
    path = write(tmp_path, "prompts: p.txt\n")
    said = message(path, **{"prompts.limit": 2})
    assert said.startswith("prompts.limit: what lies before 'limit' is 'p.txt', a value without")
    assert "got list" in message(write(tmp_path, "- a"), run="x")


def test_an_unknown_override_is_an_unknown_key(tmp_path):
    path = write(tmp_path, "prompts: {path: p.txt}\n")
    assert "unknown key 'loop.roundz'" in message(path, **{"loop.roundz": 2})


ANCHORED = "prompts: {path: p.txt}\nconstitution: %s\ntemplates: {folder: mine}\n"


def test_paths_are_relative_to_the_config(tmp_path, monkeypatch):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home / "mine", elsewhere):
        folder.mkdir(parents=True)
    write(home, "", "p.txt")
    write(home, "", "c.yaml")
    write(home, ANCHORED % "c.yaml")
    monkeypatch.chdir(elsewhere)
    config = load_config(Path("../home/cai.yaml"))
    assert config.prompts.path == str(home / "p.txt")
    assert config.constitution == str(home / "c.yaml")
    assert config.templates.folder == str(home / "mine")
    assert config.run == "runs/default"


def test_what_is_nowhere_is_looked_for_beside_the_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    config = load_config(write(tmp_path / "home", ANCHORED % "c.yaml"))
    assert config.prompts.path == str(tmp_path / "home" / "p.txt")
    assert config.constitution == str(tmp_path / "home" / "c.yaml")
    assert config.templates.folder == str(tmp_path / "home" / "mine")


def test_what_is_only_in_the_current_folder_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    write(tmp_path, "", "p.txt")
    assert load_config(write(tmp_path / "home", "prompts: {path: p.txt}")).prompts.path == "p.txt"


def test_names_are_no_paths(tmp_path):
    # A folder of the same name is not a constitution file.
    (tmp_path / "harmless-helpful").mkdir()
    (tmp_path / "starter").mkdir()
    config = load_config(
        write(tmp_path, "prompts: {path: starter}\nconstitution: harmless-helpful\n")
    )
    assert config.constitution == "harmless-helpful"
    assert config.prompts.path == "starter"
    assert config.templates.folder is None
    write(tmp_path, "", "own")
    config = load_config(write(tmp_path, "prompts: {path: starter}\nconstitution: own\n"))
    assert config.constitution == str(tmp_path / "own")


def test_the_config_cannot_be_changed_afterwards():
    config = parse_config(dict(MINIMAL))
    with pytest.raises(ValueError, match="frozen"):
        config.run = "x"  # type: ignore[misc]
