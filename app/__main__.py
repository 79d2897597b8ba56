"""Where the command `upesi` begins.

Processes for pixels, and those of `upesi serve --workers`, run the file again that the first process was started with:
what is imported here is imported by each of them.
"""


def main() -> None:
    from app import cli

    cli.main()


if __name__ == "__main__":
    main()
