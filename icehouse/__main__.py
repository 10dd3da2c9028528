"""``python -m icehouse`` is ``icehouse``."""

from icehouse.cli import main

main()
