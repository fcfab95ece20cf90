"""The root of the command line: finds a command's module when it is called, and turns errors into exit codes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType

import click

from headwater import __version__
from headwater.cli.registry import COMMANDS
from headwater.errors import HeadwaterError


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of the pipeline."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest command for a misspelt one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"no such command {args[0]!r}" + (f": did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from their summaries."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="headwater")
@click.option(
    "--project",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=None,
    help="Folder with config.py, output/ and .headwater/ (default: the current one).",
)
@click.pass_context
def cli(ctx: click.Context, project: Path | None) -> None:
    """Take a PostgreSQL database to a data lake on S3, query it with Athena, and keep backups that restore.

    \b
    Example:
      headwater demo          the whole pipeline on this machine, no AWS account needed
      headwater check         is everything in place?
      headwater query "SELECT count(*) FROM orders"

    Settings are in config.py; each can be overridden by a variable HEADWATER_<NAME>.
    """
    ctx.obj = project


def main(args: Sequence[str] | None = None, project: Path | None = None) -> None:
    """Run the command line and exit with a code of docs/reference/exit-codes.md."""
    arguments = list(sys.argv[1:] if args is None else args)
    if project is not None:
        arguments = ["--project", str(project), *arguments]
    as_json = "--json" in arguments
    # A polite kill (cron, systemd, timeout) unwinds like Ctrl-C, so that uploads are aborted and queries cancelled.
    signal.signal(signal.SIGTERM, _terminated)
    try:
        # Its own return value is the command's; a click Exit comes back as the code.
        result = cli.main(args=arguments, prog_name="headwater", standalone_mode=False)
    except HeadwaterError as error:
        _fail(error, as_json)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        if as_json:
            _fail(_as_usage_error(error), as_json)
        else:
            error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        stopped = error.__cause__ if isinstance(error, click.Abort) else error
        click.echo("interrupted", err=True)
        sys.exit(128 + (signal.SIGTERM if isinstance(stopped, Terminated) else signal.SIGINT))
    except BrokenPipeError:
        # The reader (head, less) went away: that is not an error. Point stdout elsewhere so that exit can flush.
        sys.stdout = None  # the documented way to silence the interpreter's final flush
        sys.exit(141)
    sys.exit(result if isinstance(result, int) else 0)


class Terminated(KeyboardInterrupt):
    """A polite kill. As Ctrl-C, because libraries know what to leave undone then: psycopg cancels its statement."""


def _terminated(_: int, __: FrameType | None) -> None:
    raise Terminated


class UsageError(HeadwaterError):
    """The command line is wrong."""

    exit_code = 2


def _as_usage_error(error: click.ClickException) -> UsageError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return UsageError(error.format_message(), hint=f"see `{context.command_path} --help`" if context else "")


def _fail(error: HeadwaterError, as_json: bool) -> None:
    if as_json:
        import json

        body = {"error": type(error).__name__, "message": str(error), "hint": error.hint, "exit_code": error.exit_code}
        click.echo(json.dumps(body), err=True)
        return
    click.echo(f"error: {error}", err=True)
    if error.hint:
        click.echo(f"  fix: {error.hint}", err=True)
