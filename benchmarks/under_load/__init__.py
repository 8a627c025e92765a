"""The whole app under load: many clients over HTTP while a net trains and a benchmark runs."""
