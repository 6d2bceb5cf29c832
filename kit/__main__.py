"""`kit` and `python -m kit`: the command line, executed by the worker where there is one."""

from kit.orchestration.handover import hand_over


def main() -> None:
    """Run the command line."""
    hand_over()
    from kit.cli.main import main

    main()


if __name__ == "__main__":
    main()
