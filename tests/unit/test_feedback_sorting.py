"""What becomes of each row: caps, contradictions, personal data, splits, and what is written."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cai.feedback import import_feedback
from cai.feedback.told import warnings
from cai.formats.read import read_records
from cai.store.export_folder import KIND
from cai.train.load import load_training
from cai.validation.exchange import read_comparisons
from tests.unit.feedback_helpers import (
    asked,
    edit,
    exported,
    fates,
    quick_store,  # noqa: F401 - a fixture
    report,
    table,
    taken,
    thumbs,
)

pytestmark = pytest.mark.usefixtures("quick_store")

TRAIN = asked("train", 60)


def test_thumbs_are_labels_and_never_pairs(tmp_path: Path):
    rows = [
        thumbs(TRAIN[0], "Liked.", "up", "ada"),
        thumbs(TRAIN[0], "Disliked.", "down", "bo"),
        thumbs(TRAIN[0], "Liked.", "up", "cleo"),
        thumbs(TRAIN[1], "Bad.", "down", "ada"),
    ]
    taken(tmp_path, rows)
    out = tmp_path / "out"
    assert table(out, "preferences.jsonl") == []
    labels = {r["completion"][0]["content"]: r for r in table(out, "kto.jsonl")}
    assert {text: r["label"] for text, r in labels.items()} == {
        "Liked.": True,
        "Disliked.": False,
        "Bad.": False,
    }
    # Two people, one row: what many see must not count more often.
    assert (labels["Liked."]["up"], labels["Liked."]["down"]) == (2, 0)
    assert {record.kind for record in read_records(out / "export/kto.jsonl")} == {"label"}
    assert {record.source for record in read_records(out / "export/kto.jsonl")} == {"human"}


def test_edits_are_pairs_that_trainers_and_imports_take(tmp_path: Path):
    rows = [edit(TRAIN[i], f"Answer {i}.", f"Better {i}.", f"u{i}") for i in range(3)]
    rows += [edit(TRAIN[0], "Answer 0.", "Better 0.", "zoe"), edit(TRAIN[5], "Same.", " Same.\n")]
    done = taken(tmp_path, rows)
    out = tmp_path / "out"
    assert fates(out)["left_out", "the edit changes nothing", "edit"] == 1
    found = {r["chosen"][0]["content"]: r for r in table(out, "preferences.jsonl")}
    assert set(found) == {"Better 0.", "Better 1.", "Better 2."}
    assert found["Better 0."]["people"] == 2
    published = read_comparisons(out / "export/preferences.jsonl", "human")
    assert {(c.chosen, c.rejected) for c in published.comparisons} == {
        (f"Better {i}.", f"Answer {i}.") for i in range(3)
    }
    config = load_training(out / "export/dpo.yaml")
    assert (config.data[0].origin, Path(str(config.data[0].file)).name) == (
        "human",
        "preferences.jsonl",
    )
    assert not (out / "export/kto.yaml").exists()
    assert {file.name: file.rows for file in done.files}["kto.jsonl"] == 0


def test_users_who_contradict_each_other_go_to_people(tmp_path: Path):
    rows = [
        thumbs(TRAIN[0], "Hm.", "up", "ada"),
        thumbs(TRAIN[0], "Hm.", "down", "bo"),
        # Who changes their mind has not contradicted anybody.
        thumbs(TRAIN[1], "Ah.", "down", "ada", time="2026-10-05T08:00:00Z"),
        thumbs(TRAIN[1], "Ah.", "up", "ada", time="2026-10-05T10:00:00+01:00"),
        # One against many is outvoted.
        *(thumbs(TRAIN[2], "Yes.", "up", f"u{i}") for i in range(10)),
        thumbs(TRAIN[2], "Yes.", "down", "ada"),
        thumbs(TRAIN[3], "Oh.", "up", "ada"),
        report(TRAIN[3], "Oh.", user="bo"),
        edit(TRAIN[4], "One.", "Two.", "ada"),
        edit(TRAIN[4], "Two.", "One.", "bo"),
    ]
    taken(tmp_path, rows)
    found = fates(tmp_path / "out")
    assert found["queue", "users contradict each other", "thumbs"] == 2
    assert found["left_out", "the same user said something later", "thumbs"] == 1
    assert found["left_out", "outvoted by nine to one or more", "thumbs"] == 1
    assert found["queue", "liked and reported", "thumbs"] == 1
    assert found["queue", "reported", "report"] == 1
    assert found["queue", "edited both ways", "edit"] == 2
    labels = {r["completion"][0]["content"] for r in table(tmp_path / "out", "kto.jsonl")}
    assert labels == {"Ah.", "Yes."}
    assert Counter(r["why"] for r in table(tmp_path / "out", "queue.jsonl")).total() == 6


def test_personal_data_waits_unless_it_is_kept(tmp_path: Path):
    mail = "ada.lovelace@analytical-engine.de"
    rows = [
        thumbs(TRAIN[0], f"Write to {mail}.", user="bo"),
        edit(TRAIN[1], "Call.", "Call +44 20 7946 0018.", user="bo"),
        report(TRAIN[2], "Fine.", user="bo", note=f"It knows {mail}"),
        thumbs(TRAIN[3], "Write to info@example.com.", user="bo"),
    ]
    done = taken(tmp_path, rows)
    assert sum(n for (fate, why, _), n in fates(tmp_path / "out").items() if why) == 3
    assert done.queued == 0  # such rows are in queue.jsonl and on no page
    assert done.drafted == 0
    held = table(tmp_path / "out", "queue.jsonl")
    assert {row["personal"] for row in held} == {"e-mail", "phone"}
    assert len(table(tmp_path / "out", "kto.jsonl")) == 1
    kept = import_feedback([], tmp_path / "out", settings={"keep_personal": True})
    assert (kept.queued, kept.drafted) == (1, 1)
    assert len(table(tmp_path / "out", "kto.jsonl")) == 2
    # A folder keeps what it was told.
    assert import_feedback([], tmp_path / "out").queued == 1


def test_held_out_prompts_are_in_no_file(tmp_path: Path):
    rows = []
    for split in ("train", "dev", "held_out"):
        for i, prompt in enumerate(asked(split, 6, split)):
            rows.append(thumbs(prompt, f"{split} liked.", user=f"u{i}"))
            rows.append(edit(prompt, f"{split} first.", f"{split} second.", user=f"v{i}"))
    done = taken(tmp_path, rows)
    out = tmp_path / "out"
    assert (done.queued, done.to_check) == (0, 12)
    assert len(table(out, "kto.jsonl")) == len(table(out, "preferences.jsonl")) == 6
    assert len(table(out, "dev/kto.jsonl")) == len(table(out, "dev/preferences.jsonl")) == 6
    files = exported(out)
    assert not any(
        b"held_out liked" in text or b"held_out first" in text for text in files.values()
    )
    assert b"dev liked" not in files["kto.jsonl"]
    assert fates(out)["held_out", "held-out prompt", "thumbs"] == 6


votes = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 19), st.integers(0, 2)),
    max_size=40,
    unique=True,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(votes=votes, cap=st.integers(1, 5), more=st.integers(0, 4))
def test_no_user_or_session_exceeds_its_cap(
    tmp_path_factory: pytest.TempPathFactory, votes: list[tuple[str, int, int]], cap: int, more: int
):
    folder = tmp_path_factory.mktemp("caps")
    rows = [
        thumbs(TRAIN[i], f"By {user}.", user=user, session=f"{user}{session}")
        for user, i, session in votes
    ]
    if not rows:
        return
    per_session = max(1, cap - 1)
    taken(folder, rows, per_user=cap, per_session=per_session)
    used = [r["completion"][0]["content"] for r in table(folder / "out", "kto.jsonl")]
    drawn = {r["id"] for r in table(folder / "out", "kto.jsonl")}
    # A row here is one user's, so the file can be counted.
    sessions = {(u, i): [s for v, j, s in votes if (v, j) == (u, i)] for u, i, _ in votes}
    for user in "abc":
        given = {i for u, i, _ in votes if u == user}
        per = Counter(max(sessions[user, i]) for i in given)
        assert used.count(f"By {user}.") <= cap
        assert used.count(f"By {user}.") >= min(cap, len(given), per_session) * bool(per)
    # A larger cap keeps what a smaller one has drawn.
    import_feedback([], folder / "out", settings={"per_user": cap + more})
    assert drawn <= {r["id"] for r in table(folder / "out", "kto.jsonl")}


def test_a_dominating_user_is_named_as_such_and_held_down(tmp_path: Path):
    crowd = [thumbs(TRAIN[i], "Short.", user=f"u{i}") for i in range(10)]
    one = [thumbs(TRAIN[10 + i], "Flattery.", user="zed", session=f"z{i}") for i in range(40)]
    done = taken(tmp_path, [*crowd, *one], per_user=4)
    users = done.facts["users"]
    assert (users["all"]["top"], users["all"]["users"]) == (40, 11)
    assert users["all"]["effective"] == pytest.approx(50**2 / (40**2 + 10))
    assert (users["trained_on"]["top"], users["trained_on"]["rows"]) == (4, 14)
    assert fates(tmp_path / "out")["left_out", "more than 4 of one user", "thumbs"] == 36
    told = warnings(done.facts)
    assert "One user gave 40 of 50 rows." in told[0]


def test_labels_out_of_balance_are_weighed(tmp_path: Path):
    rows = [thumbs(TRAIN[i], "Good.", "up", f"u{i}") for i in range(10)]
    rows += [thumbs(TRAIN[20 + i], "Bad.", "down", f"v{i}") for i in range(2)]
    done = taken(tmp_path, rows)
    config = load_training(tmp_path / "out/export/kto.yaml")
    assert (config.kto.desirable, config.kto.undesirable) == (0.2, 1.0)
    assert any("10 good and 2 bad answers" in line for line in warnings(done.facts))


def test_the_manifest_and_the_card_say_everything(tmp_path: Path):
    rows = [thumbs(TRAIN[0], "Good.", model="<script>|x"), report(TRAIN[1], "Bad.", user="bo")]
    done = taken(tmp_path, rows)
    files = exported(tmp_path / "out")
    manifest = json.loads(files["manifest.json"])
    assert manifest["kind"] == KIND
    assert {file["name"] for file in manifest["files"]} == set(files) - {"manifest.json"}
    assert manifest["inputs"][0]["sha256"] == done.taken[0].sha256
    card = files["README.md"].decode()
    assert "| 1 | report | queue | reported |" in card
    assert "| `kto.jsonl` | 1 |" in card
    # Another folder's files are not written over.
    (tmp_path / "other/export").mkdir(parents=True)
    (tmp_path / "other/export/mine.txt").write_text("x")
    with pytest.raises(Exception, match="holds other files"):
        import_feedback([tmp_path / "rows.jsonl"], tmp_path / "other")
