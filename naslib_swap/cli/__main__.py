"""`python -m naslib_swap.cli` is `naslib-swap`."""

from naslib_swap.cli.main import main

main()
