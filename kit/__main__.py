"""`python -m kit`: the command line."""

from kit.cli.main import main

if __name__ == "__main__":
    main()
