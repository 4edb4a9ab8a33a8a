"""Renderers: facts in, text or JSON out. Nothing is gathered or judged here."""
