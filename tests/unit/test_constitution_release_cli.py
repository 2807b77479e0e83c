from typer.testing import CliRunner

from cai.cli.constitution import app
from cai.constitution import load_constitution
from cai.constitution.load import read_file
from cai.constitution.release_records import read_releases, write_releases
from cai.errors import ConfigError
from tests.unit.constitution_helpers import draft_yaml, edit

DAY = "2026-01-31"


def run(*arguments):
    return CliRunner().invoke(app, ["release", *map(str, arguments)])


def test_the_command_says_what_it_did(tmp_path):
    draft = draft_yaml(tmp_path)
    first = run(draft, "--date", DAY)
    path, digest = draft.parent / "1.0.0.yaml", load_constitution(draft).hash[:12]
    assert first.exit_code == 0
    assert first.output == (
        "mine 1.0.0, the first version\n"
        f"Wrote {path} and recorded it in releases.yaml, hash {digest}.\n"
    )
    draft_yaml(tmp_path, ids=["own.one", "own.two"])
    edit(draft, ("keeps closer to own one", "stays closer to own one"))
    path, digest = draft.parent / "1.1.0.yaml", load_constitution(draft).hash[:12]
    facts = (
        "mine 1.0.0 → 1.1.0 (minor)\n"
        "  minor  Added 'own.two': The answer keeps to own two.\n"
        "  patch  Reworded 'own.one' (judge).\n"
    )
    dry = run(draft, "--dry-run")
    assert dry.output == (
        f"{facts}Nothing was written. Without --dry-run it would be {path}, hash {digest}.\n"
    )
    done = run(draft, "--note", "One.", "--note", "Two.", "--bump", "major", "--date", DAY)
    assert "mine 1.0.0 → 2.0.0 (major)\n" in done.output
    assert read_file(draft.parent / "2.0.0.yaml").changelog[0].changes[:2] == ("One.", "Two.")
    assert isinstance(run(draft).exception, ConfigError)


def test_the_command_records_and_completes(tmp_path):
    file = draft_yaml(tmp_path, "1.0.0", name="1.0.0")
    assert f"Recorded {file} as it is in releases.yaml" in run(file).output
    draft = draft_yaml(tmp_path, ids=["own.two"])
    run(draft)
    write_releases(file.parent, read_releases(file.parent)[:1])
    done = run(draft).output
    assert f"{file.parent / '2.0.0.yaml'} was there from a release that was interrupted" in done
    assert [r.version for r in read_releases(file.parent)] == ["1.0.0", "2.0.0"]


def test_help_has_the_table_of_bumps():
    output = " ".join(run("--help").output.split())
    for part in (
        "major: a principle removed",
        "minor: a principle",
        "patch: other words",
        "pinned",
    ):
        assert part in output
