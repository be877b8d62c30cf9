"""How dates and times are written, one package per language."""
