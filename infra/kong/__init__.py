"""Kong for Pulumi: the resources of a program, the schema of Kong's entities, and the provider."""
