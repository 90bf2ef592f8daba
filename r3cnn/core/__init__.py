"""The ground floor: errors, files, schemas, provenance, layout. Standard library, yaml and jsonschema only."""
