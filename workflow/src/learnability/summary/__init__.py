"""The summary: one light page that holds a whole study, without scripts and without anything to fetch."""

from .page import Material, render_summary

__all__ = ["Material", "render_summary"]
