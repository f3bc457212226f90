"""Answers from a replay file and from the user's configuration."""

from support.generated import BIN, ROOT, cookiecutter, cookiecutter_config, run


def test_answers_from_user_config_and_replay(tmp_path, environment):
    environment["COOKIECUTTER_SKIP_SETUP"] = "1"
    cookiecutter_config(tmp_path, project_name="From Config", workers=3, hsts="proxy")

    first = cookiecutter(tmp_path / "first", environment)
    again = run([BIN / "cookiecutter", ROOT, "--replay", "-o", tmp_path / "again"], tmp_path,
                environment)  # fmt: skip

    assert (first.returncode, again.returncode) == (0, 0), again.out
    for folder in ("first", "again"):
        procfile = tmp_path / folder / "from-config" / "Procfile"
        assert "--workers 3 " in procfile.read_text()


def test_replay_of_an_unknown_choice_is_rejected(tmp_path, environment):
    environment["COOKIECUTTER_SKIP_SETUP"] = "1"
    cookiecutter(tmp_path / "out", environment)
    (replay,) = (tmp_path / "replay").glob("*.json")
    replay.write_text(replay.read_text().replace('"rollbar"', '"airbrake"'))

    again = run([BIN / "cookiecutter", ROOT, "--replay-file", replay, "-o", tmp_path / "again"],
                tmp_path, environment)  # fmt: skip

    assert again.returncode == 1
    assert "error_tracker is not one of rollbar, sentry, none" in again.stdout
