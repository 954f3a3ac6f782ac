"""The bundled plugins: one file each, written with nothing but what `shopbot.plugin` offers to everybody."""
