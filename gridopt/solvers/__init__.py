"""Search: solve(), and the stages it is made of."""
