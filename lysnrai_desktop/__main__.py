"""`python -m lysnrai_desktop` is `lysnrai`."""

import sys

from lysnrai_desktop.cli import main

if __name__ == "__main__":
    sys.exit(main())
