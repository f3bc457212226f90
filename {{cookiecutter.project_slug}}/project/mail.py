from django.core.mail.backends.base import BaseEmailBackend


class UnsetBackend(BaseEmailBackend):
    """The mailer of a site without EMAIL_URL: it says so, instead of pretending to send."""

    def send_messages(self, email_messages):
        raise RuntimeError(
            "EMAIL_URL is not set, so nothing was sent: heroku config:set EMAIL_URL=smtp+tls://user:password@host:587"
        )
