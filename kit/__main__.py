"""`kit` and `python -m kit`: the command line, executed by the worker where there is one."""

import os
import signal
import sys

_SIGNALLED = 128
_SENTENCE = "interrupted\n"


def main() -> None:
    """Run the command line."""
    _end_at_once()
    from kit.orchestration.handover import hand_over

    hand_over("kit.__main__:execute")
    execute()


def execute() -> None:
    """Run the command line in this process."""
    _end_at_once()
    from kit.cli.main import main

    try:
        if signal.getsignal(signal.SIGINT) is _end:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        main()
    except KeyboardInterrupt:
        sys.stderr.write(_SENTENCE)
        raise SystemExit(_SIGNALLED + signal.SIGINT) from None


def _end_at_once() -> None:
    """End this process when it is interrupted: it has begun nothing yet, and a module that is imported may swallow an error."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, frame: object = None) -> None:
    sys.stderr.write(_SENTENCE)
    sys.stderr.flush()
    os._exit(_SIGNALLED + number)


if __name__ == "__main__":
    main()
