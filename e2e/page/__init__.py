"""The page in a real browser, against a real server and worker: what the people who look after agents do with it."""
