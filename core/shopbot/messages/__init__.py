"""Render templates, decide how a message may be sent, send it once."""
