"""What only a real browser can prove: two players in step, and the element that drives them."""
