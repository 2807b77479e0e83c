"""Duplicates, near-duplicates and contradictions: what counts and what does not."""

import random
from pathlib import Path

import numpy as np
import pytest

from cai.quality.near.alike import alike
from cai.quality.near.candidates import candidate_pairs
from cai.quality.words import Vocabulary, ngrams
from tests.unit.quality_helpers import find, pair

RANDOM = random.Random(5)
WORDS = [f"word{i}" for i in range(3000)]


def text(count: int = 40) -> str:
    return " ".join(RANDOM.choices(WORDS, k=count))


def changed(said: str, share: float = 0.1) -> str:
    words = said.split()
    for i in RANDOM.sample(range(len(words)), round(len(words) * share)):
        words[i] = RANDOM.choice(WORDS)
    return " ".join(words)


ROW = pair(text(), text(), text())
OTHER = pair(text(), text(), text())


def test_exact_duplicates_after_normalisation(tmp_path: Path):
    copy = {key: value.upper().replace(" ", "\n") for key, value in ROW.items()}
    finding = find(tmp_path, "exact-duplicates", [ROW, OTHER, copy])
    assert finding.drops == {2: "repeats rows.jsonl:1"} and finding.level == "warning"
    assert finding.examples[0].other == "rows.jsonl:1" and finding.rate == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "other",
    [
        pair(ROW["prompt"], ROW["rejected"], ROW["chosen"]),
        pair(ROW["prompt"] + "!", ROW["chosen"], ROW["rejected"]),
        {
            "messages": [
                {"role": "user", "content": ROW["prompt"]},
                {"role": "assistant", "content": ROW["chosen"]},
            ]
        },
    ],
)
def test_another_label_prompt_or_kind_is_no_exact_duplicate(tmp_path: Path, other: object):
    assert find(tmp_path, "exact-duplicates", [ROW, other]).level == "ok"


def test_duplicate_prompts_and_the_sizes_of_their_groups(tmp_path: Path):
    rows = [ROW, pair(ROW["prompt"], text(), text()), OTHER]
    finding = find(tmp_path, "duplicate-prompts", rows)
    assert list(finding.drops) == [1] and finding.level == "info"
    assert ("Rows per prompt", "median 1.5, most 2") in finding.figures
    assert find(tmp_path, "duplicate-prompts", [ROW, OTHER]).count == 0
    answered = {"prompt": ROW["prompt"], "answer": ROW["chosen"]}
    finding = find(tmp_path, "duplicate-prompts", [ROW, answered])
    assert finding.count == 0 and ("Different prompts", "1") in finding.figures


def test_duplicate_answers_count_across_prompts_only(tmp_path: Path):
    rows = [ROW, pair(ROW["prompt"], ROW["chosen"], text()), pair(text(), ROW["chosen"], text())]
    finding = find(tmp_path, "duplicate-answers", rows)
    assert list(finding.drops) == [2]
    assert find(tmp_path, "duplicate-answers", rows[:2]).count == 0


def test_identical_answers(tmp_path: Path):
    finding = find(tmp_path, "identical-answers", [ROW, pair("a", "Yes.", "yes. ")])
    assert list(finding.drops) == [1] and finding.level == "error"


@pytest.mark.parametrize("count", [30, 45, 200])
def test_near_duplicates_with_one_word_in_ten_changed(tmp_path: Path, count: int):
    rows = [pair(text(count), text(count), text(count)) for _ in range(40)]
    copies = [{key: changed(value) for key, value in row.items()} for row in rows]
    finding = find(tmp_path, "near-duplicates", [*rows, *copies])
    assert set(finding.drops) <= set(range(40, 80)) and len(finding.drops) >= 38


def test_near_duplicate_prompts_and_answers_alone(tmp_path: Path):
    rows = [ROW, pair(changed(ROW["prompt"]), text(), text())]
    assert find(tmp_path, "near-duplicates", rows).count == 0
    assert list(find(tmp_path, "near-duplicate-prompts", rows).drops) == [1]
    assert find(tmp_path, "near-duplicate-answers", rows).count == 0
    rows = [ROW, pair(text(), changed(ROW["chosen"]), text())]
    assert find(tmp_path, "near-duplicates", rows).count == 0
    assert find(tmp_path, "near-duplicate-prompts", rows).count == 0
    assert list(find(tmp_path, "near-duplicate-answers", rows).drops) == [1]


def test_what_is_no_near_duplicate(tmp_path: Path):
    long = text(300)
    rows = [
        pair(long, text(30), text(30)),
        pair(long, text(30), text(30)),  # other answers to one long prompt
        pair("What is the capital of France?", "Paris.", "Rome."),
        pair("What is the capital of Spain?", "Madrid.", "Rome."),
        pair(*(OTHER[key] for key in ("prompt", "rejected", "chosen"))),
        OTHER,  # a swapped label is a contradiction
    ]
    assert find(tmp_path, "near-duplicates", rows).count == 0
    revised = pair(text(), ROW["chosen"], changed(ROW["chosen"]))
    assert find(tmp_path, "near-duplicate-answers", [revised]).count == 0


def test_a_system_turn_shared_by_all_rows_makes_none_alike(tmp_path: Path):
    system = {"role": "system", "content": text(200)}
    rows = [
        {
            "messages": [
                system,
                {"role": "user", "content": text(15)},
                {"role": "assistant", "content": text(20)},
            ]
        }
        for _ in range(5)
    ]
    assert find(tmp_path, "near-duplicates", rows).count == 0
    assert find(tmp_path, "near-duplicate-prompts", rows).count == 0


def test_a_large_cluster_leaves_one_row(tmp_path: Path):
    rows = [ROW, *({key: changed(value, 0.05) for key, value in ROW.items()} for _ in range(60))]
    assert len(find(tmp_path, "near-duplicates", rows).drops) == 60


def test_similarity_is_the_jaccard_index_of_word_pairs():
    encode = Vocabulary().encode
    one, other = (encode(" ".join(f"w{i}" for i in span)) for span in (range(40), range(10, 50)))
    assert alike([one], [other]) == pytest.approx(29 / 49)
    assert alike([one], [one]) == 1.0 and alike([one], [one, one]) == 0.0
    assert alike([one, encode("yes")], [one, encode("no")]) == 0.0


def test_ngrams_depend_on_their_words_and_order():
    encode = Vocabulary().encode
    assert ngrams(encode("a b c"), 2).tolist() == ngrams(encode("A, b! C"), 2).tolist()
    assert ngrams(encode("a b"), 2)[0] != ngrams(encode("b a"), 2)[0]
    assert len(ngrams(encode("a b"), 3)) == 0
    assert ngrams(encode("x a b"), 2)[1] == ngrams(encode("a b y"), 2)[0]


def test_candidates_grow_with_the_number_of_units_even_in_one_bucket():
    same = np.ones((2000, 128), np.uint32)
    assert len(candidate_pairs(same)) <= 7 * 2000


def test_contradictions_exact_and_normalised(tmp_path: Path):
    swapped = pair(ROW["prompt"].upper(), ROW["rejected"], ROW["chosen"] + " ")
    finding = find(tmp_path, "contradictions", [ROW, OTHER, swapped])
    assert set(finding.drops) == {0, 2} and finding.level == "error"
    assert dict(finding.figures)["The same only after normalisation"] == "2"
    exact = pair(ROW["prompt"], ROW["rejected"], ROW["chosen"])
    finding = find(tmp_path, "contradictions", [ROW, exact])
    assert dict(finding.figures)["Letter by letter the same texts"] == "2 rows"


def test_what_is_no_contradiction(tmp_path: Path):
    rows = [ROW, ROW, pair(ROW["prompt"], ROW["rejected"], text()), pair("a", "b", "b")]
    assert find(tmp_path, "contradictions", rows).level == "ok"


def test_two_ratings_of_one_answer_contradict(tmp_path: Path):
    rows = [{"prompt": "a", "answer": "b", "rating": rating} for rating in (1, 5, 5)]
    assert set(find(tmp_path, "contradictions", rows).drops) == {0, 1, 2}
    assert find(tmp_path, "contradictions", rows[1:]).count == 0


def test_mixed_labels_are_said_but_no_error(tmp_path: Path):
    rows = [ROW, pair(ROW["prompt"], ROW["rejected"], text()), OTHER]
    finding = find(tmp_path, "mixed-labels", rows)
    assert set(finding.drops) == {0, 1} and finding.level == "info"
    assert find(tmp_path, "mixed-labels", [ROW, ROW, OTHER]).count == 0
