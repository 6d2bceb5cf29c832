"""`kit` and `python -m kit`: the command line, executed by the worker where there is one."""

import os
import signal
import sys

_USUAL: "dict[int, signal._HANDLER]" = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
_SIGNALLED = 128
_INTERRUPTED = _SIGNALLED + signal.SIGINT
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
        for number, usual in _USUAL.items():
            if signal.getsignal(number) is _end:
                signal.signal(number, usual)
        main()
    except KeyboardInterrupt:
        _ignore_interrupts()
        sys.stderr.write(_SENTENCE)
        raise SystemExit(_INTERRUPTED) from None
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            _ignore_interrupts()
            if end.__context__ and isinstance(end.__context__.__cause__, KeyboardInterrupt):  # typer says nothing
                sys.stderr.write(_SENTENCE)
        raise


def _ignore_interrupts() -> None:
    """Let another Ctrl-C not change the exit code of this process, which ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_at_once() -> None:
    """End this process when it is interrupted: it has begun nothing yet, and a module that is imported may swallow an error."""
    for number in _USUAL:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, frame: object = None) -> None:
    sys.stderr.write(_SENTENCE)
    sys.stderr.flush()
    os._exit(_SIGNALLED + number)


if __name__ == "__main__":
    main()
