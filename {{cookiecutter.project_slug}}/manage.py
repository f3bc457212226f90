#!/usr/bin/env python
"""Runs Django's commands: python manage.py help"""

import logging
import os
import sys


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            f"{error}. Is the virtual environment active? It is made by: python bootstrap.py"
        ) from error
    try:
        execute_from_command_line(sys.argv)
    except Exception:  # logged, so that the error tracker has it, too
        logging.getLogger("project").exception("manage.py %s failed", " ".join(sys.argv[1:2]))
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
