from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.shortcuts import redirect, render

from accounts.forms import SignUpForm


def sign_up(request):
    form = SignUpForm(request.POST or None)
    if form.is_valid():
        login(request, form.save())
        return redirect("profile")
    return render(request, "accounts/sign_up.html", {"form": form})


@login_required
def profile(request):
    return render(request, "accounts/profile.html")
