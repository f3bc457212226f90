from django.core.mail.backends import console
from django.core.mail.backends.base import BaseEmailBackend
from environ import Env, ImproperlyConfigured

from project.environment import ENCODING, Problem, has_unencoded_password


class UnsetBackend(BaseEmailBackend):
    """The mailer of a site without EMAIL_URL: raises an error that says so."""

    def send_messages(self, email_messages):
        raise RuntimeError(
            "EMAIL_URL is not set, so nothing was sent: "
            "heroku config:set EMAIL_URL=smtp+tls://user:password@host:587"
        )


class ConsoleBackend(console.EmailBackend):
    """Prints the text of mail. Django's backend prints it encoded, with long links cut in two."""

    def write_message(self, message):
        head = f"From: {message.from_email}\nTo: {', '.join(message.to)}\n"
        self.stream.write(f"{head}Subject: {message.subject}\n\n{message.body}\n{'-' * 79}\n")


def mailer(url):
    """Return an entry of MAILERS; raise Problem where `url` is not that of a mail server."""
    try:
        config = Env.email_url_config(url)
    except (ValueError, ImproperlyConfigured):
        config = {}
    scheme = url.partition("://")[0]
    if scheme == "consolemail":
        return {"BACKEND": "project.mail.ConsoleBackend"}
    known = scheme in {"smtp", "smtp+tls", "smtp+ssl"} and config.get("EMAIL_HOST")
    if not known or has_unencoded_password(url):
        raise Problem(f"is not a URL such as smtp+tls://user:password@host:587; {ENCODING}")
    return {
        "BACKEND": config["EMAIL_BACKEND"],
        "OPTIONS": {
            "host": config["EMAIL_HOST"],
            "port": config["EMAIL_PORT"] or (465 if scheme == "smtp+ssl" else 587),
            "username": config["EMAIL_HOST_USER"] or "",
            "password": config["EMAIL_HOST_PASSWORD"] or "",
            "use_tls": config.get("EMAIL_USE_TLS", False),
            "use_ssl": config.get("EMAIL_USE_SSL", False),
            "timeout": 10,
        },
    }
