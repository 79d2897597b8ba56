"""What `mkdocs build` adds to the pages of docs/: a page that lists the decisions, so that nobody has to keep one."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_HEAD = """# Decisions

What was decided, why, and what was measured. A record stays as it is; a later one overrules it.

"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    records = sorted(Path(config.docs_dir, "decisions").glob("*.md"))
    lines = [f"- {record.stem[:4]}: [{_title(record)}]({record.name})\n" for record in records]
    files.append(File.generated(config, "decisions/index.md", content=_HEAD + "".join(lines)))
    return files


def _title(record: Path) -> str:
    return record.read_text().partition("\n")[0].removeprefix("# ").removeprefix(f"{record.stem[:4]}: ")
