"""How the command line explains itself and refuses: commands by purpose, errors in one line, exit codes."""

import os
import signal
import sys
import threading
import traceback
from typing import Any

import click

from exsitu.cli_errors import DEBUG, explain, keep_traceback
from exsitu.errors import ExsituError, SettingsError

SECTIONS = {
    "The way, left to right": (
        "data", "prepare", "pretrain", "transfer", "evaluate", "adapt", "promote", "release", "verify",
    ),
    "Look": ("status", "outcome", "compare", "score", "watch", "doctor"),
    "Servers": ("up", "down", "ui"),
}  # fmt: skip
"""Commands by purpose; the others are listed after them."""

EXIT_CODES = (
    "Exit codes: 0 done; 1 an error that the last line explains, or a release that does not verify; 2 wrong arguments "
    "or settings; 3 the answer is no (promote refused, watch or doctor found something). The traceback of an "
    "unexpected error is kept in a file that the line names; --debug shows it at once."
)


def end_in_order() -> None:
    """Turn SIGTERM into an exit, so that a cancelled run removes what it half wrote and tells MLflow it ended."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


class Group(click.Group):
    """Lists commands by purpose; ends every error in one line, and keeps the traceback of the unexpected in a file."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let the group's own options stand anywhere: ``exsitu experiment all --profile quick``."""
        return super().parse_args(ctx, self._own_first(args))

    def _own_first(self, args: list[str]) -> list[str]:
        mine = [p for p in self.params if isinstance(p, click.Option) and p.expose_value]
        own = {name for p in mine if not p.is_flag for name in p.opts}
        flags = {name for p in mine if p.is_flag for name in p.opts}
        first: list[str] = []
        others: list[str] = []
        rest = list(args)
        while rest and rest[0] != "--":
            word = rest.pop(0)
            with_value = word.partition("=")[0] in own
            (first if with_value or word in flags else others).append(word)
            if with_value and "=" not in word:
                if not rest:
                    return first  # click says that a value is missing, and completes it in a shell
                first.append(rest.pop(0))
        return [*first, *others, *rest]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click ends these in its own words
        except Exception as error:
            said = explain(error)
            if os.environ.get(DEBUG) and not isinstance(error, ExsituError):
                if said is None:
                    raise
                click.echo("".join(traceback.format_exception(error)), err=True)
            click.echo(keep_traceback(error) if said is None else f"exsitu: {said}", err=True)
            ctx.exit(2 if isinstance(error, SettingsError) else 1)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        listed = {name for names in SECTIONS.values() for name in names}
        others = tuple(name for name in self.list_commands(ctx) if name not in listed)
        limit = formatter.width - 6 - max(map(len, self.commands))
        for title, names in {**SECTIONS, "More": others}.items():
            known = [(name, self.commands[name].get_short_help_str(limit)) for name in names if name in self.commands]
            if known:
                with formatter.section(title):
                    formatter.write_dl(known)
