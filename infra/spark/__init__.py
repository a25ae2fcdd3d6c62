"""What Spark is given beside pyspark: the jars that it reads and writes Delta tables with."""
