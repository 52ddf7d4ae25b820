"""Kong's entities: their fields, with types, validators and defaults."""
