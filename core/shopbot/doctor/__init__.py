"""`shopbot doctor`: looks from outside whether everything is as a shop needs it."""
