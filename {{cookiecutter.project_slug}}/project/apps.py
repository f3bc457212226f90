from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "project"

    def ready(self):
        # Checks register by being imported; from urls.py it would be too late for `check`.
        from project import logs
        from project.checks import data, pages, security  # noqa: F401

        logs.watch_threads()
