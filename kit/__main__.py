"""`kit` and `python -m kit`: the command line, executed by the worker where there is one."""

import sys

from kit.orchestration.handover import hand_over

_INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    try:
        hand_over("kit.__main__:execute")
    except KeyboardInterrupt:
        _end()
    execute()


def execute() -> None:
    """Run the command line in this process."""
    try:
        from kit.cli.main import main

        main()
    except KeyboardInterrupt:  # also while it imports
        _end()


def _end() -> None:
    sys.stderr.write("interrupted\n")
    raise SystemExit(_INTERRUPTED) from None


if __name__ == "__main__":
    main()
