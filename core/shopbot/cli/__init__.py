"""The command line: one small module per verb."""

import typer

from shopbot import __version__
from shopbot.cli import (
    backup,
    check,
    dead,
    demo,
    doctor,
    explain,
    new_plugin,
    plugins,
    poll,
    preview,
    privacy,
    run,
    schema,
    templates,
    test,
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"shopbot {__version__}")
        raise typer.Exit


def build() -> typer.Typer:
    """Put the command line together."""
    app = typer.Typer(
        name="shopbot",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,  # locals may hold secrets
        rich_markup_mode=None,
        help="Confirms paid Shopify orders in Facebook Messenger, exactly once.",
    )

    @app.callback()
    def root(
        _version: bool = typer.Option(
            False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ) -> None:
        """Confirms paid Shopify orders in Facebook Messenger, exactly once."""

    app.command("demo")(demo.demo)
    app.command("run")(run.run)
    app.command("check")(check.check)
    app.command("preview")(preview.preview)
    app.command("test")(test.try_configurations)
    app.command("plugins")(plugins.plugins)
    app.command("new-plugin")(new_plugin.new_plugin)
    app.command("schema")(schema.schema)
    app.command("poll")(poll.poll)
    app.command("explain")(explain.explain)
    app.command("doctor")(doctor.doctor)
    app.command("backup")(backup.backup)
    app.add_typer(dead.build(), name="dead")
    app.add_typer(privacy.build(), name="privacy")
    app.add_typer(templates.build(), name="templates")
    return app


def main() -> None:
    """Run the command line."""
    build()()
