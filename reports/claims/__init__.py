"""The paper's claims: specified and judged."""
