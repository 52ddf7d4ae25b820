"""What Kong's entities are made of: fields with their defaults and rules."""
