"""`rescind completion`: what a shell needs to complete the words of this program."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_RESCIND_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that lets SHELL complete commands and options.

    bash, in ~/.bashrc: eval "$(rescind completion bash)"

    zsh, in ~/.zshrc: eval "$(rescind completion zsh)"

    fish, once: rescind completion fish > ~/.config/fish/completions/rescind.fish
    """
    made = get_completion_class(shell)
    assert made is not None, shell
    program = click.get_current_context().find_root().command
    click.echo(made(program, {}, "rescind", _VARIABLE).source())
