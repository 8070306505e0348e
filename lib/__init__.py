"""The shared code of the study: what the numbered notebooks import."""
