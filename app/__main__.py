"""Where the command `upesi` begins.

Processes for pixels, and those of `upesi serve --workers`, run the file again that the first process was started with:
what is imported here is imported by each of them.
"""

import sys


def main() -> None:
    try:
        from app import cli
    except KeyboardInterrupt:  # which takes a second, and Ctrl-C may come in it
        sys.exit(130)
    cli.main()


if __name__ == "__main__":
    main()
