from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404, redirect, render
from django.views.generic import DetailView, ListView

from blog.forms import PostForm
from blog.models import Post


class PostList(ListView):
    model = Post
    ordering = ["-published"]


class PostDetail(DetailView):
    model = Post


def by_author(request, username):
    author = get_object_or_404(User, username=username)
    return render(request, "blog/post_list.html", {"post_list": author.posts.all()})


@login_required
def write(request):
    form = PostForm(request.POST or None)
    if form.is_valid():
        form.instance.author = request.user
        return redirect(form.save())
    return render(request, "blog/post_form.html", {"form": form})
