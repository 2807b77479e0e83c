"""Rows of feedback: what is taken, what is refused and how, and that no name of a user is kept."""

import gzip
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cai
from cai.errors import InputError, StoreError, UsageError
from cai.feedback import import_feedback
from cai.feedback.salt import Salt
from cai.feedback.schema import editor_schema
from cai.store import RunStore
from tests.unit.feedback_helpers import (
    edit,
    exported,
    quick_store,  # noqa: F401 - a fixture
    report,
    table,
    taken,
    thumbs,
    write,
)

pytestmark = pytest.mark.usefixtures("quick_store")

ROOT = Path(cai.__file__).parent.parent
EXAMPLE = ROOT / "examples/13_feedback"
GOOD = thumbs("Is it?", "It is.")


def test_the_schema_is_that_of_the_models_and_takes_the_example():
    name, text = editor_schema()
    assert (EXAMPLE / name).read_text(encoding="utf-8") == text, (
        "Renew it: python -c 'from pathlib import Path; from cai.feedback.schema import "
        'write_schema; write_schema(Path("examples/13_feedback"))\''
    )
    validator = jsonschema.Draft202012Validator(json.loads(text))
    for line in (EXAMPLE / "feedback.jsonl").read_text(encoding="utf-8").splitlines():
        validator.validate(json.loads(line))
    assert not validator.is_valid({**GOOD, "value": "sideways"})
    assert not validator.is_valid({**GOOD, "edited": "x"})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", r"rows.jsonl:2: got a line that is no JSON"),
        ("[1]", "got JSON that is no object"),
        ({**GOOD, "kind": "thumb"}, "got kind 'thumb'.*Did you mean 'thumbs'"),
        ({k: v for k, v in GOOD.items() if k != "kind"}, "without a 'kind' in words"),
        ({**GOOD, "value": "sideways"}, "'value': input should be 'up' or 'down'"),
        ({**GOOD, "vlaue": "up"}, "unknown key 'vlaue'"),
        ({**GOOD, "answer": "  "}, "the text is blank"),
        ({**GOOD, "time": "yesterday"}, "'time'"),
        ({**GOOD, "time": "2026-10-05T08:00:00"}, "'time'.*timezone"),
        ({**GOOD, "time": 1790000000}, "a time is a text"),
        ({**GOOD, "prompt": [{"role": "assistant", "content": "x"}]}, "ends with a message of"),
        ({**GOOD, "user": ""}, "an empty text under 'user'"),
        ({**GOOD, "session": None}, "nothing under 'session'"),
        ({**GOOD, "user": True}, "a value of type bool under 'user'"),
        ({**edit("Q?", "A.", "B."), "edited": ""}, "'edited'"),
        ({**report("Q?", "A."), "category": "!"}, "'category'"),
    ],
)
def test_a_bad_row_is_one_error_with_its_line(tmp_path: Path, row: object, said: str):
    path = write(tmp_path / "rows.jsonl", [GOOD, row])
    with pytest.raises(InputError, match=said) as raised:
        import_feedback([path], tmp_path / "out")
    assert "rows.jsonl:2: " in str(raised.value)
    assert "1 line that cannot be read, and nothing of it was stored" in str(raised.value)
    with RunStore.read(tmp_path / "out") as store:
        assert list(store.select("SELECT count(*) FROM feedback")) == [(0,)]


def test_bad_rows_can_be_skipped_and_are_counted_and_listed(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    good = json.dumps(GOOD).encode()
    path.write_bytes(good + b'\n{"user": "secret-person", \n\n\xff\xfe\n' + b"7\n" * 30)
    with pytest.raises(InputError, match="and 12 more lines"):
        import_feedback([path], tmp_path / "out")
    done = import_feedback([path], tmp_path / "out", skip_bad=True)
    (one,) = done.taken
    assert (one.new, one.known, one.bad_lines, len(one.bad)) == (1, 0, 32, 20)
    assert [bad.line for bad in one.bad[:3]] == [2, 4, 5]
    assert "0xff" in one.bad[1].error
    assert done.facts["inputs"][0]["bad"] == 32


def test_files_without_a_row_and_folders_of_runs_are_refused(tmp_path: Path):
    (tmp_path / "empty.jsonl").write_text("\n\n")
    with pytest.raises(InputError, match=r"holds no row of feedback"):
        import_feedback([tmp_path / "empty.jsonl"], tmp_path / "out")
    with pytest.raises(InputError, match="does not exist"):
        import_feedback([tmp_path / "none.jsonl"], tmp_path / "out")
    with RunStore.open(tmp_path / "run") as store:
        store.set_meta(plan="p")
    with pytest.raises(UsageError, match="holds a run"):
        import_feedback([write(tmp_path / "a.jsonl", [GOOD])], tmp_path / "run")
    with pytest.raises(UsageError, match="per_user: got 0"):
        import_feedback([], tmp_path / "out", settings={"per_user": 0})


def test_gzip_and_numbers_as_names(tmp_path: Path):
    path = tmp_path / "rows.jsonl.gz"
    rows = [{**GOOD, "user": 17}, {**GOOD, "user": "17"}]
    path.write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in rows).encode()))
    (one,) = import_feedback([path], tmp_path / "out").taken
    assert (one.new, one.known) == (1, 1)


def test_no_name_of_a_user_or_session_is_kept(tmp_path: Path):
    rows = [
        thumbs("Q one?", "A.", user="ada@secret.example", session="s-secret-1"),
        report("Q two?", "B.", user="ada@secret.example", session="s-secret-2"),
        thumbs("Q three?", "C.", "sideways", user="ada@secret.example"),
        '{"kind": "thumbs", "user": "ada@secret.example"',
    ]
    path = write(tmp_path / "rows.jsonl", rows)
    with pytest.raises(InputError) as raised:
        import_feedback([path], tmp_path / "out")
    assert "secret" not in str(raised.value)
    import_feedback([path], tmp_path / "out", skip_bad=True)
    for file in (tmp_path / "out").rglob("*"):
        assert not file.is_file() or b"secret" not in file.read_bytes(), file
    with RunStore.read(tmp_path / "out") as store:
        users = {user for (user,) in store.select("SELECT user FROM feedback")}
    assert len(users) == 1
    kept = (tmp_path / "out/salt").read_bytes()
    assert users == {Salt(kept).hashed("user", "ada@secret.example")}
    assert users != {Salt(bytes(32)).hashed("user", "ada@secret.example")}
    assert stat.S_IMODE((tmp_path / "out/salt").stat().st_mode) == 0o600


def test_a_salt_of_ones_own(tmp_path: Path):
    path = write(tmp_path / "rows.jsonl", [GOOD])
    (tmp_path / "salt").write_bytes(b"short")
    with pytest.raises(StoreError, match=r"has 5 bytes\. Allowed: 32"):
        import_feedback([path], tmp_path / "out", salt=tmp_path / "salt")
    (tmp_path / "salt").write_bytes(b"x" * 32)
    import_feedback([path], tmp_path / "out", salt=tmp_path / "salt")
    assert not (tmp_path / "out/salt").exists()
    # With another salt, or none, all that is known would be new.
    for other, said in ((tmp_path / "new", "no salt"), (tmp_path / "third", "another salt")):
        (tmp_path / "third").write_bytes(b"y" * 32)
        with pytest.raises(StoreError, match=f"{said}, and .* holds rows"):
            import_feedback([path], tmp_path / "out", salt=other)
        assert not (tmp_path / "new").exists()
    import_feedback([], tmp_path / "out")  # nobody is to be hashed
    # What is drawn and written does not depend on the salt.
    import_feedback([path], tmp_path / "other")
    assert exported(tmp_path / "out") == exported(tmp_path / "other")


def test_consent_is_needed_where_asked_and_can_be_taken_back(tmp_path: Path):
    said = [{**GOOD, "consent": True}, thumbs("Why?", "Because.", user="bo")]
    refused = thumbs("Where does Cleo live?", "Over there.", user="cleo")
    first = taken(tmp_path, [*said, {**refused, "consent": False}])
    assert (first.taken[0].new, first.taken[0].refused) == (2, 1)
    assert first.facts["users"]["all"]["rows"] == 2
    # An older file, in which nobody had asked, does not bring the row back.
    again = taken(tmp_path, [refused])
    assert (again.taken[0].new, again.facts["users"]["all"]["rows"]) == (0, 2)
    back = taken(tmp_path, [{**GOOD, "consent": False}])
    assert back.facts["users"]["all"]["rows"] == 1
    assert b"Is it?" not in b"".join(exported(tmp_path / "out").values())
    with RunStore.read(tmp_path / "out") as store:
        assert not [r for (r,) in store.select("SELECT record FROM prompts") if b"Is it?" in r]
    needed = import_feedback([], tmp_path / "out", settings={"need_consent": True})
    assert [(one["fate"], one["why"]) for one in needed.facts["fates"]] == [
        ("left_out", "no consent")
    ]


rows_of_any_kind = st.builds(
    lambda kind, i, text, user, value: {
        "thumbs": thumbs(f"Question {i}?", text, value, user),
        "edit": edit(f"Question {i}?", text, text[::-1], user),
        "report": report(f"Question {i}?", text, user=user),
    }[kind],
    kind=st.sampled_from(["thumbs", "thumbs", "thumbs", "edit", "report"]),
    i=st.integers(0, 5),
    text=st.text("ab c", min_size=1, max_size=4).filter(str.strip),
    user=st.sampled_from("xyz"),
    value=st.sampled_from(["up", "down"]),
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(rows_of_any_kind, min_size=1, max_size=25), data=st.data())
def test_importing_again_in_any_order_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, rows: list[object], data: st.DataObject
):
    folder = tmp_path_factory.mktemp("again")
    path = write(folder / "rows.jsonl", rows)
    once = import_feedback([path], folder / "out", settings={"per_user": 4})
    before = exported(folder / "out")
    again = import_feedback([path], folder / "out")
    assert [one.new for one in again.taken] == [0]
    assert again.taken[0].known == len(rows)
    assert exported(folder / "out") == before
    assert once.facts == again.facts
    # The same rows in pieces and another order: all but the names of the files is the same.
    mixed = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(mixed)))
    parts = [mixed[:cut], mixed[cut:]]
    paths = [write(folder / f"{i}.jsonl", part) for i, part in enumerate(parts) if part]
    import_feedback(paths, folder / "parts", settings={"per_user": 4})
    tables = [name for name in before if name.endswith(("jsonl", "yaml"))]
    parted = exported(folder / "parts")
    assert {name: parted[name] for name in tables} == {name: before[name] for name in tables}


KILLED = """
import os, signal, sys
from pathlib import Path
from cai.feedback import import_feedback, intake

intake._ROWS, stored, calls = 4, intake._store, []
def store(*args, **named):
    calls.append(1)
    done = stored(*args, **named)
    if len(calls) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return done
intake._store = store
import_feedback([Path(sys.argv[1])], Path(sys.argv[2]))
"""


def test_a_kill_in_the_middle_loses_nothing(tmp_path: Path):
    rows = [thumbs(f"Number {i} of all?", f"Answer {i}.", user=f"u{i % 7}") for i in range(20)]
    path = write(tmp_path / "rows.jsonl", rows)
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(tmp_path / "out"), "3"],
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert ended.returncode == -signal.SIGKILL
    with RunStore.read(tmp_path / "out") as store:
        # The third piece was not yet committed; the two before it are whole.
        assert list(store.select("SELECT count(*) FROM feedback")) == [(8,)]
        assert list(store.select("SELECT count(*) FROM feedback_files")) == [(0,)]
    (after,) = import_feedback([path], tmp_path / "out").taken
    assert (after.new, after.known) == (12, 8)
    import_feedback([path], tmp_path / "whole")
    assert exported(tmp_path / "out") == exported(tmp_path / "whole")
    assert len(table(tmp_path / "out", "kto.jsonl")) > 5
