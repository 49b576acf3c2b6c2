"""A worker that is not ours, in Go, with stubs of another code generator, against a real server."""
