"""shopbot.yaml: read with positions, checked against models, with every problem at its `file:line:column`."""
