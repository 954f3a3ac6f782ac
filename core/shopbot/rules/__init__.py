"""Match an event to rules, run their steps, journal each outcome."""
