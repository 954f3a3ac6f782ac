"""`python -m shopbot` is the same as `shopbot`."""

from shopbot.cli import main

main()
