"""The page says what the run says, and shows nothing that is held out."""

import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cai.cli.report import report as command
from cai.errors import UsageError
from cai.report import Figures, gather, render_html, render_markdown
from cai.report.sections import make_document
from cai.report.visible import visible
from cai.store import RunStore, rows_for
from cai.store.summary import summarise
from cai.validation.bias import judge_report
from tests.unit.report_helpers import Page, label, make_run

DRAWS = 50


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(tmp_path_factory.mktemp("report") / "my-run")
    label(folder, {"Ada": "second", "Ben": "second"})
    label(folder, {"Bot": "first"}, "simulated")
    return folder


@pytest.fixture(scope="module")
def figures(run: Path) -> Figures:
    return gather(run, draws=DRAWS)


@pytest.fixture(scope="module")
def page(figures: Figures) -> bytes:
    return render_html(figures)


def test_figures_equal_those_of_the_run(run: Path, page: bytes):
    text = Page(page).text
    with RunStore.read(run) as store:
        summary = summarise(rows_for(store, "report"))
        judge = judge_report(store, draws=DRAWS)
        tokens = store.spent().tokens
    for rate in (
        *(summary.judge.first_slot, summary.judge.flip, summary.judge.single_order),
        *(summary.judge.bounded, summary.length.chosen_longer, summary.revision_preferred),
    ):
        assert str(rate) in text
    for counts in (summary.samples, summary.pairs, summary.revisions, *summary.preferred.values()):
        assert all(f"{count:,} {name}" in text for name, count in counts.items())
    assert f"{summary.certainty.mean:.3f}" in text
    assert judge.orders.consistency is not None
    assert f"{judge.orders.consistency.estimate:.1%}" in text
    assert f"Tokens in all {tokens:,}" in text
    assert all(one.principle in text for one in judge.principles)
    assert "kind@1.0.0" in text and "c" * 64 in text and "e" * 64 in text
    assert "secret-folder" not in text


def test_the_histogram_and_bars_hold_every_pair(run: Path, figures: Figures):
    with RunStore.read(run) as store:
        ps = [(pair.kind, pair.p) for row, _ in rows_for(store, "report") for pair in row.pairs]
    for kind, bins in figures.spread.items():
        assert sum(bins) == sum(k == kind and p is not None for k, p in ps)
        assert bins[3] == sum(k == kind and 0.15 <= (p or 0) < 0.2 for k, p in ps)


def test_held_out_texts_are_absent(run: Path, figures: Figures, page: bytes):
    with RunStore.read(run) as store:
        assert any("SECRET" in row.samples[0].text for row, _ in rows_for(store, "validation"))
    assert b"SECRET" not in page
    assert "SECRET" not in render_markdown(figures)
    assert b"Question 9?" in page and page.count(b'class="transcript"') == 10 + 10


def test_the_page_is_well_formed_and_needs_nothing(page: bytes):
    found = Page(page)
    assert max(found.ids.values()) == 1
    assert found.headings[0] == 1 and found.headings.count(1) == 1
    jumps = zip(found.headings, found.headings[1:], strict=False)
    assert all(after <= before + 1 for before, after in jumps)
    assert not {"script", "img", "link", "iframe", "object", "form", "a[href]"} & set(found.tags)
    assert not any(name.startswith("on") or name in ("style", "src") for name in found.attributes)
    assert found.tags["svg"] > 5 and found.tags["caption"] == found.tags["table"]
    assert {"main", "nav", "header", "footer"} <= set(found.tags)
    # No address but those of places in the page.
    assert set(re.findall(r'href="([^"#]*)', page.decode())) == {""}
    assert b"http://" not in page and b"https://" not in page
    assert re.search(rb"default-src 'none'; style-src 'sha256-[\w+/]{43}='", page)


def test_every_chart_has_words_and_a_table(page: bytes):
    charts = re.findall(r'<svg class="chart".*?</svg>', page.decode(), re.DOTALL)
    assert len(charts) >= 9
    for chart in charts:
        assert 'role="img"' in chart
        (names,) = re.findall(r'aria-labelledby="([\w-]+) ([\w-]+)"', chart)
        assert f'<title id="{names[0]}">' in chart and f'<desc id="{names[1]}">' in chart
        assert 'class="axis-title"' in chart
    assert page.count(b"Figures of this chart") == len(charts)


def test_equal_runs_and_seeds_make_equal_bytes(run: Path, figures: Figures, page: bytes):
    assert render_html(gather(run, draws=DRAWS)) == page
    other = gather(run, draws=DRAWS, seed=1)
    assert render_html(other) != page
    assert [row.id for row in figures.worst] == [row.id for row in other.worst]


def test_markdown_holds_the_same_figures(figures: Figures):
    written = render_markdown(figures)
    document = make_document(figures)
    headings = re.findall(r"^## (.*)$", written, re.MULTILINE)
    assert headings == [s.title for s in document.sections if s.id != "rows"]
    assert str(figures.summary.judge.flip).partition(" ")[0] in written
    assert "\n\n\n" not in written and len(written) < 20_000
    tables = re.findall(r"^\|(?: ---:? \|)+$", written, re.MULTILINE)
    assert len(tables) > 12
    for line in written.splitlines():
        assert line == visible(line)


def test_the_command_writes_both_files(tmp_path: Path, run: Path):
    app = typer.Typer()
    app.command()(command)
    items = tmp_path / "eval.jsonl"
    items.write_text('{"question": "Question 3?"}\n')
    out, summary = tmp_path / "new" / "page.html", tmp_path / "summary.md"
    options = ["--out", str(out), "--markdown", str(summary), "--against", str(items)]
    ended = CliRunner().invoke(app, [str(run), *options, "--seed", "3"])
    assert ended.exit_code == 0, ended.output
    assert "page.html" in ended.output
    text = Page(out.read_bytes()).text
    assert "The rows were compared with 1 file of evaluation data." in text
    assert "contamination" in text and "contamination (error)" in text
    assert summary.read_text().startswith("# Report of kind")
    ended = CliRunner().invoke(app, [str(run), "--out", str(out.parent)])
    assert isinstance(ended.exception, UsageError) and "Cannot write" in str(ended.exception)
    assert [file.name for file in out.parent.iterdir()] == ["page.html"]
    assert not list(tmp_path.glob(".*"))
