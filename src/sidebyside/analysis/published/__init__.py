"""What our runs of published recipes say of the published figures."""
