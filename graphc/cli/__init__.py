"""The command line: ``graphc demo``, ``graphc cache``, ``graphc --version``.

typer, rich and scikit-learn are met here and nowhere else.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line, as the script ``graphc`` does."""
    from graphc.cli.app import app

    app()


__all__ = ["main"]
