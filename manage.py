#!/usr/bin/env python
"""The operator's way in: every command of the control plane."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
    if sys.argv[1:2] == ["standalone"]:
        # The parent of all processes serves no page: without their apps it is 7 MB smaller.
        os.environ["TICKPLANE_ROLE"] = "standalone"
    from controlplane.env import BadEnvironment

    try:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
    except BadEnvironment as e:
        # An operator's slip, not a bug: one sentence, no traceback.
        sys.stderr.write(f"tickplane: {e}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        # Before the command could listen to it: nothing runs yet, and nothing is to be told.
        sys.exit(130)


if __name__ == "__main__":
    main()
