"""What the local broker is made of: the pom that names its jars, and how it logs."""
