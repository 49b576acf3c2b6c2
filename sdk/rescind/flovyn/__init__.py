"""Workers that speak flovyn.v1 alone: what they are told and tell natively, said in the calls of that protocol."""
