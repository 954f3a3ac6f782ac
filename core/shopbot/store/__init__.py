"""The state plane on Redis or Valkey: inbox, claims, references, journals, dead letters, the embedded server."""
