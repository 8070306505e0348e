"""Figures' style, cards and the site."""
