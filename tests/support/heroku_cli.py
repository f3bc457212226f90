#!/usr/bin/env python3
"""A fake Heroku command line: records each call, and runs what a first push needs.

Its state is JSON in the file HEROKU_STATE: the `calls` so far, the app's `config`, the path of its
`repository`, the URL of its `database`, and the folder in which the `app` is built.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

path = Path(os.environ["HEROKU_STATE"])
state = json.loads(path.read_text())
command, *arguments = sys.argv[1:]
state["calls"].append(" ".join(sys.argv[1:]))
if command == "create":
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", state["repository"]])
    subprocess.run(["git", "remote", "add", "heroku", state["repository"]])
elif command == "addons:create":
    state["config"]["DATABASE_URL"] = state["database"]
elif command == "config:set":
    state["config"] |= dict(argument.split("=", 1) for argument in arguments)
path.write_text(json.dumps(state))
if command == "run":
    variables = state["config"] | {"PATH": f"{state['app']}/.venv/bin:/usr/bin:/bin"}
    sys.exit(subprocess.run(arguments, cwd=state["app"], env=variables).returncode)
