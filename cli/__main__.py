"""`python -m evolgraph.cli` is the `evolgraph` command."""

from .main import main

main()
