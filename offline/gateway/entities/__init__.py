"""The entities Kong keeps: fields, unique keys, and rules across fields (kong/db/schema/entities/*.lua)."""
