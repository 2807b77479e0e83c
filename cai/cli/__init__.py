"""The command line. `main` runs a command and turns every error into one clear message."""

from __future__ import annotations

import errno
import os
import sys
import traceback

__all__ = ["main"]

_INTERRUPTED = 130  # 128 + SIGINT, as shells count; typer exits so on Ctrl-C
_STOPPED = "stopped. Start the same command again to go on: nothing answered is lost."


def main() -> None:
    """Run the command line and exit: 0 done, 1 failure, 2 wrong usage, 130 interrupted.

    With `CAI_DEBUG=1` in the environment, errors come with their traceback.
    """
    try:
        from cai.cli.app import app

        app()
    except SystemExit as leaving:
        if leaving.code == _INTERRUPTED:
            _say(_STOPPED)
        raise
    except KeyboardInterrupt:
        _say(_STOPPED)
        sys.exit(_INTERRUPTED)
    except Exception as error:
        if os.environ.get("CAI_DEBUG"):
            traceback.print_exc()
        sys.exit(_report(error))


def _report(error: Exception) -> int:
    from cai.errors import CaiError

    if isinstance(error, CaiError):
        _say(f"error: {error}")
        return error.exit_code
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = f" ({error.filename})" if error.filename else ""
        _say(
            f"error: no space left on the disk{place}. Free some space and start the same command "
            "again: what was stored is intact."
        )
        return 1
    if isinstance(error, OSError):
        place = f" {error.filename}" if error.filename else ""
        _say(f"error: cannot use{place}: {error.strerror or error}. Check path and permissions.")
        return 1
    _say(
        f"error: this is a bug in cai: {type(error).__name__}: {error}\n"
        "For a report, start the command again with CAI_DEBUG=1 and include what it prints."
    )
    return 1


def _say(message: str) -> None:
    from cai.cli.output import plain

    print(plain(message), file=sys.stderr)  # noqa: T201
