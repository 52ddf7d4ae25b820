"""What manages Kong's entities: create, read, update and delete over the Admin API."""
