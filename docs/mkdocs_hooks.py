"""Hook of MkDocs: README.md and benchmarks/README.md become pages; links stay within the site."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# Pages of the site that lie elsewhere in the repository, where they are read without the site.
ELSEWHERE = {"index.md": "README.md", "benchmarks.md": "benchmarks/README.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere; leave this module out."""
    root = Path(config.config_file_path).parent
    for page, place in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(root / place).read_text("utf-8")))
    for file in list(files):
        if file.src_uri.endswith(".py"):
            files.remove(file)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between pages of the site."""

    def lead(match: re.Match[str]) -> str:
        address, _, place = match[1].partition("#")
        place = f"#{place}" if place else ""
        name = re.sub(r"^(\.\./|docs/)+", "", address)
        if page_of := {source: page for page, source in ELSEWHERE.items()}.get(name):
            return f"]({page_of}{place})"
        if module := re.fullmatch(r"src/(graft/.*)\.py", name):
            depth = page.file.src_uri.count("/")
            return f"]({'../' * depth}reference/{module[1]}.md{place})"
        return f"]({name}{place})"

    return re.sub(r"\]\((?!https?:|#)([^)\s]+)\)", lead, markdown)


# A role of Sphinx, which docstrings name other code by: :func:`~graft.training.race.time_pass`.
_ROLE = re.compile(r":(?:func|class|data|mod|meth|attr|exc):<code>(~?)([\w.]+)(?:\(\))?</code>")


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the roles of docstrings into links, where the name has a place in the site."""

    def link(match: re.Match[str]) -> str:
        shown = match[2].rpartition(".")[2] if match[1] else match[2]
        return f'<autoref identifier="{match[2]}" optional><code>{shown}</code></autoref>'

    return _ROLE.sub(link, html)
