"""`python -m unisono.cli`: the command where nothing is installed."""

import sys

from unisono.cli.entry import main

sys.exit(main())
