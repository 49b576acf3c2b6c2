"""The served OpenAPI document, held against the server that serves it, by schemathesis."""
