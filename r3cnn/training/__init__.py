"""Train, survive faults, and publish the results."""
