"""Functions that raise exceptions whose texts quote data: the secret that is passed to them."""

import contextlib
import datetime
import json
import subprocess
from importlib import import_module
from smtplib import SMTPRecipientsRefused

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.signing import Signer
from django.db import connection
from django.http import QueryDict
from django.template import Context, Template
from django.urls import reverse

User = get_user_model()


def never(function):
    """Mark a function whose secret must not reach the tracker."""
    return function


def may(function):
    """Mark a function whose secret is sent because it helps to find the error, such as a key."""
    return function


# --- Exceptions of Python


@never
def integer(secret):
    int(secret)


@never
def floating(secret):
    float(secret)


@never
def date(secret):
    datetime.date.fromisoformat(secret)


@never
def date_by_format(secret):
    datetime.datetime.strptime(secret, "%Y")


@never
def json_document(secret):
    json.loads(f'{{"card": {secret}}}')


@never
def encoding(secret):
    f"é{secret}".encode("ascii")


@never
def decoding(secret):
    (secret.encode() + b"\xff").decode()


@never
def base(secret):
    int(secret, 8)


@never
def unpacking(secret):
    dict([secret])


@never
def in_list(secret):
    [].index(secret)


@never
def command(secret):
    subprocess.run(["false", secret], check=True)


@never
def command_too_slow(secret):
    subprocess.run(["sh", "-c", "sleep 5", secret], timeout=0.1)


@never
def recipient(secret):
    raise SMTPRecipientsRefused({secret: (550, b"unknown")})


@may
def key(secret):
    {}[secret]


@may
def attribute(secret):
    getattr(object(), secret)


@may
def module(secret):
    import_module(secret)


@may
def file(secret):
    open(secret)


@may
def assertion(secret):
    assert not secret, secret


# --- Exceptions of Django and the database


@never
def template_context(secret):
    Template("{{ a|default:missing }}").render(Context({"card": secret}))


@never
def field(secret):
    User.objects.get(pk=secret)


@never
def validation(secret):
    User(username=f"{secret} {secret}").full_clean()


@never
def own_validation(secret):
    raise ValidationError("“%(card)s” is no card", params={"card": secret})


@never
def signature(secret):
    Signer().unsign(f"user:{secret}")


@never
def url_arguments(secret):
    reverse("admin:login", kwargs={"token": secret})


@never
def url_positional_arguments(secret):
    reverse("admin:login", args=[secret])


@may
def form_field(secret):
    QueryDict("")[secret]


@may
def url_name(secret):
    reverse(secret)


@never
def unique(secret):
    for _ in range(2):
        User.objects.create(username=secret)


@never
def failing_row(secret):
    User.objects.create(username=secret, email=None)


@never
def row_of_a_check(secret):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE card (number text CHECK (length(number) < 3))")
        cursor.execute("INSERT INTO card VALUES (%s)", [secret])


@never
def database_cast(secret):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text::integer", [secret])


@never
def statement(secret):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT nothing FROM identity_user WHERE username = '{secret}'")


# --- Exceptions of application code


@never
def second_line(secret):
    raise RuntimeError(f"first line\n{secret}")


@never
def beyond_the_limit(secret):
    raise RuntimeError(200 * "." + secret)


@never
def note(secret):
    error = RuntimeError("noted")
    error.add_note(secret)
    raise error


@never
def hidden_cause(secret):
    try:
        raise RuntimeError(secret)
    except RuntimeError:
        raise LookupError("not found") from None


@never
def cause(secret):
    try:
        int(secret)
    except ValueError as error:
        raise LookupError("not found") from error


@never
def context(secret):
    try:
        int(secret)
    except ValueError:
        raise LookupError("not found")  # noqa: B904


@never
def group(secret):
    errors = []
    with contextlib.suppress(AssertionError):
        try:
            int(secret)
        except ValueError as error:
            errors.append(error)
    raise ExceptionGroup("some failed", errors)


@never
def attribute_of_the_error(secret):
    error = RuntimeError("with an attribute")
    error.card = secret
    raise error


@never
def address_with_query(secret):
    raise ConnectionError(f"Max retries exceeded with url: /pay?token={secret} (Caused by timeout)")


@never
def address_with_password(secret):
    raise ConnectionError(f"cannot reach amqp://user:{secret}@queue/")


@may
def own_text(secret):
    raise RuntimeError(f"no such plan: {secret}")


@may
def own_group(secret):
    raise ExceptionGroup(f"group {secret}", [RuntimeError("one")])
