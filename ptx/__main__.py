"""``python -m ptx``."""

import sys

from ptx.cli import main

sys.exit(main())
