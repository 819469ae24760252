"""A report as files: page, Markdown, CSV and figures."""
