"""``python -m mesodecode``: the same as the ``mesodecode`` command."""

from mesodecode.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
