"""What is run and compared, a module each."""
