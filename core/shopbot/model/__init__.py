"""What flows through shopbot: events, orders, messages and outcomes. Imports nothing else of shopbot."""
