"""What the store keeps about a person: finds all of it, shows it, erases it."""
